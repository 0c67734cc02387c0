/// A machine that the checks are made on.
package struct ConformanceMachine: Sendable {
    /// As `sevdbg launch --machine` names it.
    package let name: String
    /// Whether the host is told of every VMGEXIT, and not only of those that KVM's userspace answers.
    let seesAllExchanges: Bool
    /// Why it is not to be had here; `nil` where it is.
    let obstacle: String?
    let prepare: @Sendable (inout LaunchOptions) throws(MachineError) -> Void
    let make: SessionConfiguration.MachineMaker

    init(
        _ name: String, seesAllExchanges: Bool = true, obstacle: String? = nil,
        prepare: @escaping @Sendable (inout LaunchOptions) throws(MachineError) -> Void,
        make: @escaping SessionConfiguration.MachineMaker
    ) {
        self.name = name
        self.seesAllExchanges = seesAllExchanges
        self.obstacle = obstacle
        self.prepare = prepare
        self.make = make
    }

    /// The machine that `sevdbg launch` makes.
    init(_ kind: MachineKind, obstacle: String?) {
        self.init(
            kind.name, seesAllExchanges: kind != .sevES, obstacle: obstacle,
            prepare: { options throws(MachineError) in try kind.prepare(&options) },
            make: { plan, _, interrupt throws(MachineError) in
                try kind.make(plan, interrupt: interrupt)
            })
    }

    /// All that `sevdbg launch` can make, and which of them a host does not have.
    package static func all(_ report: DoctorReport) -> [ConformanceMachine] {
        MachineKind.allCases.map { kind in
            let verdict = report.machines.first { $0.name == kind.name }
            return ConformanceMachine(kind, obstacle: verdict?.obstacle)
        }
    }

    /// What the others are compared with.
    static let reference = ConformanceMachine(.emulator, obstacle: nil)
}
