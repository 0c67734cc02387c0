/// All that a session is made from.
package struct SessionConfiguration: Sendable {
    package typealias MachineMaker =
        @Sendable (LaunchPlan, LaunchOptions, InterruptFlag) throws(MachineError) -> any Machine

    package var image: GuestImage
    package var options: LaunchOptions
    /// Whether the rules go by the specification alone.
    package var isStrict: Bool
    /// Arguments of the `break` command, set before the first instruction.
    package var breakpoints: [String]
    /// Makes the machine, at launch and at each relaunch.
    package var makeMachine: MachineMaker
    /// Why the machine is this one, where the user left it open.
    package var machineChoice: String?
    /// Raised by whoever wants the guest to stop.
    package var interruptFlag: InterruptFlag
    /// Where a running guest is shown to whoever asked the interrupt flag for a look.
    package var progressBoard: ProgressBoard

    package init(
        image: GuestImage, options: LaunchOptions, isStrict: Bool = false,
        breakpoints: [String] = [],
        interruptFlag: InterruptFlag = InterruptFlag(),
        progressBoard: ProgressBoard = ProgressBoard(), makeMachine: @escaping MachineMaker
    ) {
        self.image = image
        self.options = options
        self.isStrict = isStrict
        self.breakpoints = breakpoints
        self.interruptFlag = interruptFlag
        self.progressBoard = progressBoard
        self.makeMachine = makeMachine
    }
}

/// A session that cannot begin.
package enum SessionError: Error, Sendable, Equatable {
    case guest(GuestError)
    case machine(MachineError)
    /// A breakpoint of the configuration cannot be set.
    case breakpoint(CommandFailure)

    /// The sentence for the user.
    package var message: String {
        switch self {
        case .guest(.unusableFile(let text)), .guest(.badOption(let text)): text
        case .machine(let error): error.message
        case .breakpoint(let failure): failure.message
        }
    }
}
