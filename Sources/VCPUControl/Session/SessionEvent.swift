/// What a session reports, in order: the one stream that terminal, batch text and JSON lines are made from.
package enum SessionEvent: Sendable, Equatable {
    case launch(Launch)
    case vmgexit(sequence: Int, Exchange)
    case finding(Finding)
    case stop(Stop)
    /// An exit that a foreign VMM answers has passed.
    case exit(PassedExit)
    case console(vcpu: Int, bytes: [UInt8])
    case result(CommandResult)
    case end(End)
}

/// The head of a session.
package struct Launch: Sendable, Equatable {
    package var machine: String
    /// `nil`, as all that a launch decides, where sevdbg has attached to the guest.
    package var ghcb: String?
    package var ghcbVersion: Int?
    package var vcpus: Int
    package var guest: String
    package var entry: GuestVirtualAddress?
    /// The process of the VMM that sevdbg has attached to.
    package var process: Int32?
    /// Whether the machine hides registers and private memory from the host.
    package var protectedState: Bool
    /// What the hypervisor does wrong, for a guest that shows it.
    package var hypervisorFault: String?
    /// What else there is to say of the launch: how it was done, and the measurement.
    package var facts: [MachineFact] = []
}

/// The guest stands still, and why.
package struct Stop: Sendable, Equatable {
    package enum Reason: String, Sendable {
        case step, breakpoint, watchpoint, vmgexit, interrupted, halted, terminated, shutdown
        case unimplemented
    }

    package var reason: Reason
    package var vcpu: Int
    package var rip: Reading<GuestVirtualAddress>
    /// `name+offset`, where a symbol covers RIP.
    package var symbol: String?
    /// The disassembled instruction at RIP; its bytes in hex for `unimplemented`.
    package var instruction: String?
    package var registers: Reading<RegisterFile>
    /// A sentence with what the reason alone does not say: which breakpoint, which fault.
    package var detail: String?
}

/// The foot of a session.
package struct End: Sendable, Equatable {
    package enum Reason: String, Sendable {
        case returned, halted, terminated, shutdown, unimplemented, quit, interrupted
        /// sevdbg has left a guest that lives on.
        case detached
        /// The foreign VMM has ended.
        case vanished
    }

    package var reason: Reason
    package var termination: Termination?
    package var instructions: InstructionCount
    package var vmgexits: Int
    package var findings: Int
}

/// What a command answers.
package struct CommandResult: Sendable, Equatable {
    package var command: String
    /// The answer, or the sentence that says what failed, on what, why, and what to do.
    package var outcome: Result<CommandAnswer, CommandFailure>
}

/// A command that could not be done.
package struct CommandFailure: Error, Sendable, Equatable {
    /// What failed, on what, why, and what to do.
    package var message: String

    package init(_ message: String) { self.message = message }
}
