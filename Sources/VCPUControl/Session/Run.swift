/// A command under way that lets the guest run.
struct Run {
    /// When the command is over, if nothing stops the guest before.
    enum Goal {
        /// The vCPU has executed this many instructions since launch.
        case instructions(UInt64)
        /// This many breakpoints are hit.
        case breakpoints(remaining: UInt64)
        /// This many VMGEXITs match.
        case exchanges(ExitFilter, remaining: UInt64)
        case place(GuestVirtualAddress)
        case walk(Walk)
    }

    /// As the user typed it.
    var command: String
    /// The vCPU that the command is about.
    var vcpu: Int
    var goal: Goal
    /// How far the goal was away when the command began, in its own unit; `nil`: nobody knows.
    let total: UInt64?
    /// Where the command is over at the latest; `nil`: nowhere.
    var budget: RunBudget?

    /// Begins a command on a vCPU that has executed `done` instructions.
    init(command: String, vcpu: Int, done: UInt64, goal: Goal, budget: RunBudget?) {
        (self.command, self.vcpu, self.goal, self.budget) = (command, vcpu, goal, budget)
        total = Self.distance(goal, done)
    }

    /// How far the goal is away for a vCPU that has executed `done` instructions.
    static func distance(_ goal: Goal, _ done: UInt64) -> UInt64? {
        switch goal {
        case .instructions(let end): end == .max ? nil : end - min(end, done)
        case .breakpoints(let remaining), .exchanges(_, let remaining):
            remaining == .max ? nil : remaining
        case .walk(let walk):
            if case .instructions(let remaining) = walk.goal { remaining } else { nil }
        case .place: nil
        }
    }

    /// Where the machine has to stop besides breakpoints.
    var temporary: GuestVirtualAddress? {
        switch goal {
        case .place(let address): address
        case .walk(let walk): walk.landing
        default: nil
        }
    }

    /// The VMGEXITs that the machine must not miss besides those of breakpoints.
    var filter: ExitFilter? {
        if case .exchanges(let filter, _) = goal { filter } else { nil }
    }

    /// Whether only `vcpu` executes; the others run on while a call or a handler is gone through.
    var isAlone: Bool {
        switch goal {
        case .instructions: true
        case .walk(let walk): walk.landing == nil
        default: false
        }
    }

    /// Whether the command is over when its vCPU cannot go on.
    var needsItsVCPU: Bool {
        switch goal {
        case .instructions, .walk: true
        default: false
        }
    }
}

/// `nexti` and `finish`: from instruction to instruction, each with all that it calls or raises.
struct Walk {
    /// The instruction that is being executed.
    struct Current {
        var start: GuestVirtualAddress
        /// Where it ends: the address of the next instruction in memory.
        var end: GuestVirtualAddress
        var flow: DisassembledInstruction.Flow
        /// The count of instructions at which its first step is over.
        var stepEnd: UInt64
        /// RSP at which its end belongs to the same frame.
        var stack: UInt64
    }

    enum Goal {
        case instructions(remaining: UInt64)
        /// A return from the function or handler.
        case `return`
    }

    var goal: Goal
    var current: Current?
    /// Set while a call, a handler or a repeated instruction is gone through.
    var landing: GuestVirtualAddress?
}
