import VCPUControl

/// An observation: events as they come, as text or JSON lines, until something ends it.
struct ObserveRunner {
    /// How long nothing may happen before the clock, the VMM and Ctrl-C are looked at.
    private static let pause: Int32 = 50

    private let observer: any VMObserver
    private let commands: [ScriptCommand]
    private let isJSON: Bool
    private var renderer: ObserveRenderer
    private var output: StandardOutput
    private var hasErrors = false

    /// Observes a process until it ends, the user interrupts or the time is over.
    ///
    /// - Parameters:
    ///   - pid: the VMM.
    ///   - vm: which of its VMs; `nil` is the only one.
    ///   - commands: answered at the end; where there are some, no tables are shown before.
    ///   - isJSON: whether events are JSON lines.
    ///   - lints: whether errors that the lint rules find count for the status.
    ///   - hasColor: whether text has colours.
    ///   - seconds: when to end; `nil` with commands is at once.
    /// - Returns: the program's status, after a message where it is not `ok`.
    static func run(
        _ pid: Int32, vm: Int?, _ commands: [ScriptCommand], isJSON: Bool, lints: Bool,
        hasColor: Bool, seconds: Double?
    ) -> ProgramStatus {
        do throws(ObserveError) {
            var runner = ObserveRunner(try observer(pid, vm), commands, isJSON, hasColor)
            let succeeded = runner.run(seconds: seconds)
            guard succeeded else { return .commandFailed }
            return lints && runner.hasErrors ? .lintFailed : .ok
        } catch {
            StandardError.message(error.message)
            return .noMachine
        }
    }

    /// BPF where it is to be had, else samples.
    private static func observer(_ pid: Int32, _ vm: Int?) throws(ObserveError) -> any VMObserver {
        do throws(ObserveError) {
            return try Observer(pid, vm: vm)
        } catch {
            guard case .noBPF(let reason) = error else { throw error }
            return try RunSampler(pid, because: reason)
        }
    }

    private init(
        _ observer: any VMObserver, _ commands: [ScriptCommand], _ isJSON: Bool, _ hasColor: Bool
    ) {
        (self.observer, self.commands, self.isJSON) = (observer, commands, isJSON)
        renderer = ObserveRenderer(hasColor: hasColor)
        output = StandardOutput(isUnbuffered: false)
    }

    /// - Returns: whether all commands could be done.
    private mutating func run(seconds: Double?) -> Bool {
        Interruption.catchSignals()
        show(.started(observer.start))
        output.flush()
        let reason = watch(seconds: seconds ?? (commands.isEmpty ? nil : 0))
        let succeeded = commands.allSatisfy { answer($0) }
        for event in observer.end(reason) { show(event) }
        output.flush()
        return succeeded
    }

    /// Shows what happens, and every second what it amounts to.
    private mutating func watch(seconds: Double?) -> ObserveEnd.Reason {
        let clock = ContinuousClock()
        let end = seconds.map { clock.now + .seconds($0) }
        var table = clock.now + .seconds(1)
        while true {
            for event in observer.next(milliseconds: Self.pause) { show(event) }
            let reason = reasonToEnd(isLate: end.map { clock.now >= $0 } ?? false)
            if clock.now >= table || reason != nil, commands.isEmpty {
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
        if isJSON {
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
    private mutating func answer(_ command: ScriptCommand) -> Bool {
        do throws(CommandFailure) {
            let parsed = try CommandParser.parse(command.text)
            for event in try events(for: parsed, command.text) { show(event) }
            return true
        } catch {
            output.flush()
            StandardError.message("\(command.origin): \(error.message)")
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
