import Glibc
import VCPUControl

/// A session without a terminal: commands in order, events as text or JSON lines.
struct BatchRunner {
    private let session: Session
    private let isJSON: Bool
    /// Whether errors that the lint rules find count for the exit status.
    private let lints: Bool
    private var renderer: TextRenderer
    private var output: StandardOutput
    private var lastStop: Stop.Reason?
    /// Whether the lint rules have found an error in any launch.
    private var hasErrors = false

    init(_ session: Session, isJSON: Bool, hasColor: Bool, lints: Bool = false) {
        self.session = session
        (self.isJSON, self.lints) = (isJSON, lints)
        renderer = TextRenderer(hasColor: hasColor)
        output = StandardOutput(isUnbuffered: isJSON || StandardOutput.isTerminal)
    }

    /// Runs the commands, or the guest to its end where there are none.
    mutating func run(_ commands: [ScriptCommand]) -> ProgramStatus {
        show(session.next())
        let isComplete = commands.isEmpty ? runToEnd() : run(each: commands)
        let wasInterrupted = lastStop == .interrupted
        session.close(wasInterrupted ? .interrupted : nil)
        drain()
        output.flush()
        if wasInterrupted { return .signal(SIGINT) }
        guard isComplete else { return .commandFailed }
        if lints, hasErrors { return .lintFailed }
        return session.end.map(ProgramStatus.init) ?? .ok
    }

    /// - Returns: false where a command failed; the rest is not run, as in gdb.
    private mutating func run(each commands: [ScriptCommand]) -> Bool {
        for command in commands where !session.isOver && lastStop != .interrupted {
            session.submit(command.text)
            guard drain(command.origin) else { return false }
        }
        return true
    }

    /// Goes on behind every stop that is not the last.
    private mutating func runToEnd() -> Bool {
        while session.end == nil, lastStop != .interrupted, lastStop != .unimplemented {
            session.submit("continue")
            guard drain(isQuiet: true) else { return false }
        }
        return true
    }

    /// Shows what a command reports as it comes; `isQuiet` for a command that nobody gave.
    ///
    /// - Returns: whether it succeeded.
    @discardableResult
    private mutating func drain(_ origin: String = "", isQuiet: Bool = false) -> Bool {
        var succeeded = true
        while let event = session.next() {
            switch event {
            case .stop(let stop): lastStop = stop.reason
            case .finding(let finding) where finding.severity == .error: hasErrors = true
            case .result(let result):
                guard case .failure(let failure) = result.outcome else {
                    if isQuiet { continue }
                    break
                }
                succeeded = false
                complain(failure, origin)
            default: break
            }
            show(event)
        }
        return succeeded
    }

    /// Says on standard error what failed, behind all that was shown before.
    private mutating func complain(_ failure: CommandFailure, _ origin: String) {
        output.flush()
        let place = origin.isEmpty ? "" : origin + ": "
        StandardError.message(place + failure.message)
    }

    private mutating func show(_ event: SessionEvent?) {
        guard let event else { return }
        if isJSON {
            output.write(JSONRenderer.line(for: event))
        } else {
            output.write(renderer.text(for: event).utf8)
        }
    }
}
