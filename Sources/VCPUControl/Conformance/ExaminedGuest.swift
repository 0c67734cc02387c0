/// A guest on a machine under examination, debugged as a user does it.
final class ExaminedGuest {
    let session: Session
    private let patience: Duration

    /// Launches the guest.
    init(
        _ image: GuestImage, _ options: LaunchOptions, _ machine: ConformanceMachine,
        _ patience: Duration
    ) throws(ConformanceFailure) {
        self.patience = patience
        do throws(SessionError) {
            session = try Session(
                SessionConfiguration(image: image, options: options, makeMachine: machine.make))
        } catch { throw ConformanceFailure(error.message) }
        _ = session.next()
    }

    var machine: any Machine { session.machine }

    /// Gives a command, and takes all that it reports.
    ///
    /// A guest that runs for too long is interrupted, which the events tell.
    @discardableResult
    func run(
        _ command: String, within patience: Duration? = nil
    ) throws(ConformanceFailure) -> [SessionEvent] {
        let events = submit(command, patience ?? self.patience)
        if let failure = Self.failure(events) {
            throw ConformanceFailure("`\(command)` fails: \(failure)")
        }
        return events
    }

    /// Why a command is refused.
    func refusal(_ command: String) throws(ConformanceFailure) -> String {
        guard let failure = Self.failure(submit(command, patience)) else {
            throw ConformanceFailure("`\(command)` is not refused")
        }
        return failure
    }

    /// The stop that ends a command.
    func stop(
        _ command: String, within patience: Duration? = nil
    ) throws(ConformanceFailure) -> Stop {
        for case .stop(let stop) in try run(command, within: patience) { return stop }
        throw ConformanceFailure("`\(command)` comes to no stop")
    }

    /// Where a command comes to a stop, relative to the first byte of a small guest.
    func place(
        _ command: String, _ reason: Stop.Reason = .step
    ) throws(ConformanceFailure) -> UInt64 {
        let stop = try stop(command)
        try expect("the reason to stop behind `\(command)`", stop.reason, is: reason)
        guard let rip = stop.rip.value else {
            throw ConformanceFailure("behind `\(command)` RIP is \(stop.rip.text)")
        }
        return rip.rawValue &- GuestImage.flatAddress
    }

    /// What `print` shows.
    func value(_ expression: String) throws(ConformanceFailure) -> UInt64 {
        for case .result(let result) in try run("print \(expression)") {
            if case .success(.value(let value)) = result.outcome { return value.value.bits }
        }
        throw ConformanceFailure("`print \(expression)` has no value")
    }

    /// Lets the guest run to its end.
    func end(_ reason: End.Reason) throws(ConformanceFailure) {
        try run("continue")
        guard let end = session.end else { throw ConformanceFailure("the guest does not end") }
        try expect("its end", end.reason.rawValue, is: reason.rawValue)
    }

    private func submit(_ command: String, _ patience: Duration) -> [SessionEvent] {
        Watch.during(patience, raising: session.interruptFlag) {
            session.submit(command)
            var events: [SessionEvent] = []
            while let event = session.next() { events.append(event) }
            return events
        }
    }

    private static func failure(_ events: [SessionEvent]) -> String? {
        for case .result(let result) in events {
            if case .failure(let failure) = result.outcome { return failure.message }
        }
        return nil
    }
}
