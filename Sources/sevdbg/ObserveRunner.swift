import ArgumentParser
import Glibc
import VCPUControl

/// How `attach --observe` shows what it sees.
struct ObserveOutput: ParsableArguments {
    @Flag(help: "Run without the terminal interface.")
    var batch = false

    @Option(
        name: .customShort("e"),
        help: ArgumentHelp(
            "Show this when the observation ends, at once without --for; repeatable.",
            valueName: "info TOPIC"))
    var commands: [String] = []

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @Flag(help: "Exit with status 3 if the lint rules find errors.")
    var lint = false

    @Option(help: "Colour the output.")
    var color = ColorChoice.auto
}

/// An observation: events as they come, as text or JSON lines, until something ends it.
struct ObserveRunner {
    /// How long nothing may happen before the clock, the VMM and Ctrl-C are looked at.
    private static let pause: Int32 = 50

    private let observer: any VMObserver
    private let options: ObserveOutput
    private var renderer: ObserveRenderer
    private var output: StandardOutput
    private var hasErrors = false

    /// Observes a process until it ends, the user interrupts or the time is over.
    static func run(_ pid: Int32, _ options: ObserveOutput, seconds: Double?) -> ProgramStatus {
        do throws(ObserveError) {
            var runner = ObserveRunner(try observer(pid), options)
            return runner.run(seconds: seconds)
        } catch {
            StandardError.message(EscapedText.line(error.message))
            return .noMachine
        }
    }

    /// BPF where it is to be had, else samples.
    private static func observer(_ pid: Int32) throws(ObserveError) -> any VMObserver {
        do throws(ObserveError) {
            return try Observer(pid)
        } catch {
            guard case .noBPF(let reason) = error else { throw error }
            return try RunSampler(pid, because: reason)
        }
    }

    private init(_ observer: any VMObserver, _ options: ObserveOutput) {
        (self.observer, self.options) = (observer, options)
        let environment = Environment.values(["NO_COLOR", "CLICOLOR_FORCE", "TERM"])
        let hasColor = options.color.isOn(
            environment: environment, isTerminal: StandardOutput.isTerminal)
        renderer = ObserveRenderer(hasColor: hasColor)
        output = StandardOutput(isUnbuffered: false)
    }

    private mutating func run(seconds: Double?) -> ProgramStatus {
        Interruption.catchSignals()
        show(.started(observer.start))
        output.flush()
        let reason = watch(seconds: seconds ?? (options.commands.isEmpty ? nil : 0))
        let succeeded = options.commands.allSatisfy { answer($0) }
        for event in observer.end(reason) { show(event) }
        output.flush()
        guard succeeded else { return .commandFailed }
        return options.lint && hasErrors ? .lintFailed : .ok
    }

    /// Shows what happens, and every second what it amounts to.
    private mutating func watch(seconds: Double?) -> ObserveEnd.Reason {
        let clock = ContinuousClock()
        let end = seconds.map { clock.now + .seconds($0) }
        var table = clock.now + .seconds(1)
        while true {
            for event in observer.next(milliseconds: Self.pause) { show(event) }
            let reason = reasonToEnd(isLate: end.map { clock.now >= $0 } ?? false)
            if clock.now >= table || reason != nil, options.commands.isEmpty {
                show(observer.activity())
                table += .seconds(1)
            }
            output.flush()
            if let reason { return reason }
        }
    }

    private func reasonToEnd(isLate: Bool) -> ObserveEnd.Reason? {
        if Interruption.flag.isRaised { return .interrupted }
        if observer.isOver { return .exited }
        return isLate ? .elapsed : nil
    }

    private mutating func show(_ event: ObserveEvent) {
        if case .finding(let finding) = event, finding.severity == .error { hasErrors = true }
        if options.json {
            output.write(JSONRenderer.line(for: event))
        } else {
            output.write(renderer.text(for: event).utf8)
        }
    }
}

// MARK: - Commands

extension ObserveRunner {
    /// Answers a command; what needs the guest to stand still has no answer here.
    ///
    /// - Returns: whether it could be done.
    private mutating func answer(_ text: String) -> Bool {
        do throws(CommandFailure) {
            for event in try events(for: try CommandParser.parse(text), text) { show(event) }
            return true
        } catch {
            output.flush()
            StandardError.message(EscapedText.line(error.message))
            return false
        }
    }

    private func events(
        for command: Command?, _ text: String
    ) throws(CommandFailure) -> [ObserveEvent] {
        switch command {
        case nil: return []
        case .info(.exits, _): return [observer.activity()]
        case .info(.vcpus, _), .info(.memory, _):
            do throws(ObserveError) {
                return [.vms(try observer.vms())]
            } catch { throw CommandFailure(error.message) }
        default:
            throw CommandFailure(
                "`\(text)` needs a guest that stands still; --observe stops nothing and knows"
                    + " info vcpus, info memory and info exits")
        }
    }
}
