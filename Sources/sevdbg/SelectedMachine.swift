import VCPUControl

/// The machine that a launch gets, chosen by the user or by what the host can do.
struct SelectedMachine {
    let kind: MachineKind
    /// Why it is this one, where the user left it open.
    let reason: String?
    /// The same for standard error, on a host where another could have been expected.
    let remark: String?
    private let seed: UInt64
    private let schedule: VCPUSchedule?

    /// Chooses; `needsEmulator` says that other options have a meaning there only.
    init(
        _ choice: MachineChoice, needsEmulator: Bool, visibility: Visibility, seed: UInt64,
        schedule: VCPUSchedule? = nil, doctor: Doctor = Doctor()
    ) {
        (self.seed, self.schedule) = (seed, schedule)
        let emulator: MachineKind = visibility == .hardware ? .hardware : .emulator
        switch choice {
        case .auto where needsEmulator:
            (kind, remark) = (emulator, nil)
            reason = "--machine auto picks emulator: other options are for it alone"
        case .emulator: (kind, reason, remark) = (emulator, nil, nil)
        case .kvm: (kind, reason, remark) = (.kvm, nil, nil)
        case .sevES: (kind, reason, remark) = (.sevES, nil, nil)
        case .auto:
            let selection = doctor.select()
            kind = selection.name == "sev-es" ? .sevES : emulator
            let text = "--machine auto picks \(selection.name): \(selection.reason)"
            (reason, remark) = (text, selection.isRemarkable ? text : nil)
        }
    }

    var maker: SessionConfiguration.MachineMaker {
        let (kind, seed, schedule) = (kind, seed, schedule)
        return { plan, _, interrupt throws(MachineError) in
            try kind.make(plan, interrupt: interrupt, seed: seed, schedule: schedule)
        }
    }
}
