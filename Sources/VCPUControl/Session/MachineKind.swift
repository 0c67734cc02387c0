/// A machine that a launch can have, and what it asks of the launch.
package enum MachineKind: Sendable, CaseIterable {
    case emulator
    /// The emulator behind what SEV-ES hardware shows, debugged through the stub.
    case hardware
    case kvm
    case sevES

    /// As `sevdbg launch --machine` names it.
    package var name: String {
        switch self {
        case .emulator: "emulator"
        case .hardware: "emulator --visibility hardware"
        case .kvm: "kvm"
        case .sevES: "sev-es"
        }
    }

    /// Fits options to the machine: the C-bit of the host, its GHCB protocol, the debug stub.
    ///
    /// - Throws: `.refused` where the host does not have the machine.
    package func prepare(_ options: inout LaunchOptions) throws(MachineError) {
        switch self {
        case .emulator: break
        case .hardware: options.hasDebugStub = true
        case .kvm: options.cBit = try KVMMachine.cBit()
        case .sevES:
            let host = try SEVESMachine.host()
            options.hasDebugStub = true
            options.cBit = host.cBit
            options.ghcbVersion = min(options.ghcbVersion, host.ghcbVersion)
        }
    }

    /// Builds the machine of a plan whose options were prepared.
    package func make(
        _ plan: LaunchPlan, interrupt: InterruptFlag, seed: UInt64 = 0
    ) throws(MachineError) -> any Machine {
        switch self {
        case .emulator: return try EmulatedMachine(plan, interrupt: interrupt, seed: seed)
        case .kvm: return try KVMMachine(plan, interrupt: interrupt, seed: seed)
        case .sevES: return try StubbedMachine(SEVESMachine(plan, interrupt: interrupt), plan)
        case .hardware:
            let twin = try SEVESMachine.twin(plan, interrupt: interrupt, seed: seed, isTraced: true)
            return try StubbedMachine(twin, plan)
        }
    }
}
