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
    ///
    /// Without a schedule its vCPUs run at the same time on hardware, and elsewhere in turns: then
    /// every run is the same.
    package func make(
        _ plan: LaunchPlan, interrupt: InterruptFlag, seed: UInt64 = 0,
        schedule: VCPUSchedule? = nil
    ) throws(MachineError) -> any Machine {
        switch self {
        case .emulator:
            guard schedule != .threads else { throw Self.noThreads }
            return try EmulatedMachine(plan, interrupt: interrupt, seed: seed)
        case .kvm:
            return try KVMMachine(
                plan, interrupt: interrupt, seed: seed, schedule: schedule ?? .turns)
        case .sevES:
            let machine = try SEVESMachine(
                plan, interrupt: interrupt, schedule: schedule ?? .threads)
            return try StubbedMachine(machine, plan)
        case .hardware:
            let twin = try SEVESMachine.twin(
                plan, interrupt: interrupt, seed: seed, schedule: schedule ?? .turns,
                isTraced: true)
            return try StubbedMachine(twin, plan)
        }
    }

    private static let noThreads = MachineError.refused(
        "the emulator does the same in every run, so its vCPUs take turns: for --schedule threads"
            + " use --machine kvm or sev-es, or --visibility hardware")
}
