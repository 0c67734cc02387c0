/// Which vCPUs have not been at the guest's entry yet, and what the host promised them there.
struct EntryWatch {
    /// The guest's entry.
    let address: UInt64
    /// The argument registers of each vCPU at launch.
    private let expected: [[Register: UInt64]]
    private var awaited: Set<Int>

    init(_ plan: LaunchPlan) {
        address = plan.entry.rawValue
        expected = plan.vcpus.map { vcpu in
            Dictionary(uniqueKeysWithValues: Register.arguments.map { ($0, vcpu.registers[$0]) })
        }
        awaited = Set(plan.vcpus.indices)
    }

    /// Whether every vCPU has been there.
    var isOver: Bool { awaited.isEmpty }

    /// Takes the first arrival of a vCPU; `nil` for any other.
    mutating func arrive(_ vcpu: Int, _ registers: RegisterFile) -> Observation? {
        guard registers[.rip] == address, awaited.remove(vcpu) != nil else { return nil }
        return .entered(
            vcpu: vcpu, rip: .init(address), expected: expected[vcpu], found: registers)
    }
}
