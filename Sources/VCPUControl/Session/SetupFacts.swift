/// What a machine saw of the way to the guest's entry: a value, fed with observations.
struct SetupFacts {
    /// WRMSRs to the GHCB MSR by all vCPUs.
    private(set) var msrWrites = 0
    /// Those of vCPU 0 before it stood at the guest's entry.
    private(set) var msrWritesBeforeEntry = 0
    /// RSP of each vCPU that stood at the entry.
    private(set) var entryStacks: [Int: UInt64] = [:]
    /// The argument registers that are not what the host set, on whatever vCPU.
    private(set) var lostArguments: Set<Register> = []

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .ghcbMSRWrite(let vcpu, _, _):
            msrWrites += 1
            if vcpu == 0, entryStacks[0] == nil { msrWritesBeforeEntry += 1 }
        case .entered(let vcpu, _, let expected, let found):
            entryStacks[vcpu] = found[.rsp]
            for register in Register.arguments where expected[register] != found[register] {
                if expected[register] != nil { lostArguments.insert(register) }
            }
        default: break
        }
    }
}
