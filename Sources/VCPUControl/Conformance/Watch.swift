internal import Dispatch

/// Interrupts a guest that runs for too long.
enum Watch {
    /// Has threads of its own: those of tasks may all be busy with guests.
    private static let queue = DispatchQueue(label: "sevdbg.watch")

    /// Raises the flag when the body lasts longer than `patience`.
    static func during<Result>(
        _ patience: Duration, raising flag: InterruptFlag, _ body: () -> Result
    ) -> Result {
        let alarm = DispatchWorkItem { flag.raise() }
        let (seconds, attoseconds) = patience.components
        let delay = Double(seconds) + Double(attoseconds) / 1e18
        queue.asyncAfter(deadline: .now() + delay, execute: alarm)
        defer { alarm.cancel() }
        return body()
    }
}
