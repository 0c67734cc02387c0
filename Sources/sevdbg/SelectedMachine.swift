import VCPUControl

/// The machine that a launch gets, chosen by the user or by what the host can do.
struct SelectedMachine {
    enum Kind: Sendable { case emulator, kvm, sevES }

    let kind: Kind
    /// Why it is this one, where the user left it open.
    let reason: String?
    /// The same for standard error, on a host where another could have been expected.
    let remark: String?
    private let visibility: Visibility
    private let seed: UInt64

    /// Chooses; `needsEmulator` says that other options have a meaning there only.
    init(
        _ choice: MachineChoice, needsEmulator: Bool, visibility: Visibility, seed: UInt64,
        doctor: Doctor = Doctor()
    ) {
        (self.visibility, self.seed) = (visibility, seed)
        switch choice {
        case .auto where needsEmulator:
            (kind, remark) = (.emulator, nil)
            reason = "--machine auto picks emulator: other options are for it alone"
        case .emulator: (kind, reason, remark) = (.emulator, nil, nil)
        case .kvm: (kind, reason, remark) = (.kvm, nil, nil)
        case .sevES: (kind, reason, remark) = (.sevES, nil, nil)
        case .auto:
            let selection = doctor.select()
            kind = selection.name == "sev-es" ? .sevES : .emulator
            let text = "--machine auto picks \(selection.name): \(selection.reason)"
            (reason, remark) = (text, selection.isRemarkable ? text : nil)
        }
    }

    /// What the machine asks of a launch plan.
    func prepare(_ options: inout LaunchOptions) throws(MachineError) {
        switch kind {
        case .emulator: options.hasDebugStub = visibility == .hardware
        case .kvm: options.cBit = try KVMMachine.cBit()
        case .sevES:
            let host = try SEVESMachine.host()
            options.hasDebugStub = true
            options.cBit = host.cBit
            options.ghcbVersion = min(options.ghcbVersion, host.ghcbVersion)
        }
    }

    var maker: SessionConfiguration.MachineMaker {
        let (kind, visibility, seed) = (kind, visibility, seed)
        return { plan, _, interrupt throws(MachineError) in
            switch kind {
            case .kvm: return try KVMMachine(plan, interrupt: interrupt, seed: seed)
            case .sevES:
                return try StubbedMachine(SEVESMachine(plan, interrupt: interrupt), plan)
            case .emulator:
                guard visibility == .hardware else {
                    return try EmulatedMachine(plan, interrupt: interrupt, seed: seed)
                }
                let twin = try SEVESMachine.twin(
                    plan, interrupt: interrupt, seed: seed, isTraced: true)
                return try StubbedMachine(twin, plan)
            }
        }
    }
}
