import ArgumentParser
import Glibc
import VCPUControl

/// The program's exit statuses (DESIGN 4).
enum ProgramStatus: Equatable {
    case ok
    case commandFailed
    /// The lint rules found errors, and `--lint` asks for them.
    case lintFailed
    case guestFailed
    case noMachine
    case usage
    case noFile
    /// The status of a program that a signal ended, as shells give it.
    case signal(Int32)

    /// The number that the shell sees.
    var number: Int32 {
        switch self {
        case .ok: 0
        case .commandFailed: 1
        case .lintFailed: 3
        case .guestFailed: 4
        case .noMachine: 5
        case .usage: 64
        case .noFile: 66
        case .signal(let number): 128 + number
        }
    }

    var exitCode: ArgumentParser.ExitCode { .init(number) }

    init(_ error: SessionError) {
        switch error {
        case .guest(let error): self.init(error)
        case .breakpoint: self = .usage
        case .machine: self = .noMachine
        }
    }

    init(_ error: GuestError) {
        switch error {
        case .unusableFile: self = .noFile
        case .badOption: self = .usage
        }
    }

    /// What the way a guest ended means; an unknown instruction is a command that failed.
    init(_ end: End) {
        switch end.reason {
        case .returned, .halted, .quit, .detached: self = .ok
        case .interrupted: self = .signal(SIGINT)
        case .unimplemented: self = .commandFailed
        case .shutdown, .vanished: self = .guestFailed
        case .terminated:
            self = end.termination == .requested(set: 0, code: 0) ? .ok : .guestFailed
        }
    }
}
