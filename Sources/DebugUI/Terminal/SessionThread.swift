import Glibc
import Synchronization
package import VCPUControl

/// The thread that owns the session: lines go in, events and snapshots come out.
package final class SessionThread: Sendable {
    /// What came out since the last time.
    package struct Report: Sendable {
        package var events: [SessionEvent]
        /// How the guest stands after the last command; `nil` while one is carried out.
        package var snapshot: Snapshot?
        /// The guest while it runs, where a look was asked for.
        package var progress: RunProgress?
    }

    private struct Shared: Sendable {
        var lines: [String] = []
        var backlog = EventBacklog()
        var snapshot: Snapshot?
        var interrupt: InterruptFlag?
        var progress: ProgressBoard?
        var failure: (any Error)?
        var isClosing = false
        var isOver = false
    }

    private let shared = Mutex(Shared())
    /// Signalled when there is something in `lines`, or the thread shall end.
    private let input: EventDescriptor
    /// Signalled when there is something that the terminal must not wait for.
    private let output: EventDescriptor

    package init() throws(TerminalError) {
        input = try EventDescriptor()
        output = try EventDescriptor()
    }

    /// Readable when a command is over; events alone do not make it so.
    package var descriptor: Int32 { output.descriptor }

    /// Starts the thread, makes the session on it, and waits until it is made.
    ///
    /// - Throws: what `makeSession` throws.
    package func start(_ makeSession: @escaping @Sendable () throws -> some DebugSession) throws {
        try Thread.start { self.serve(makeSession) }
        output.wait()
        let failure = shared.withLock { $0.failure }
        if let failure { throw failure }
    }

    package func submit(_ line: String) {
        shared.withLock { shared in
            // An interrupt that came too late for the last command is none for this one.
            _ = shared.interrupt?.take()
            _ = shared.interrupt?.takeLook()
            _ = shared.progress?.take()
            shared.lines.append(line)
        }
        input.signal()
    }

    /// Asks the running guest to stop.
    package func interrupt() { shared.withLock { $0.interrupt }?.raise() }

    /// Asks for a look at the running guest, which a later report has.
    package func requestLook() { shared.withLock { $0.interrupt }?.requestLook() }

    /// Waits until a command is over, but no longer than this.
    package func settle(milliseconds: Int32) { output.wait(milliseconds: milliseconds) }

    package func take() -> Report {
        output.reset()
        return shared.withLock { shared in
            defer { shared.snapshot = nil }
            return Report(
                events: shared.backlog.take(), snapshot: shared.snapshot,
                progress: shared.progress?.take())
        }
    }

    /// Ends the session with `quit`, and waits for the thread, but not for ever.
    ///
    /// - Returns: the events that were left.
    package func close() -> [SessionEvent] {
        shared.withLock { shared in
            shared.lines = ["quit"]
            shared.isClosing = true
        }
        input.signal()
        for _ in 0..<500 where !shared.withLock({ $0.isOver }) {
            interrupt()
            output.reset()
            output.wait(milliseconds: 10)
        }
        return take().events
    }

    // MARK: On the thread

    private func serve(_ makeSession: @Sendable () throws -> some DebugSession) {
        defer { finish { $0.isOver = true } }
        do {
            let session = try makeSession()
            shared.withLock { shared in
                shared.interrupt = session.interruptFlag
                shared.progress = session.progressBoard
            }
            drain(session)
            while let line = nextLine() {
                session.submit(line)
                drain(session)
            }
        } catch {
            shared.withLock { $0.failure = error }
        }
    }

    private func drain(_ session: some DebugSession) {
        while let event = session.next() {
            shared.withLock { $0.backlog.append(event) }
        }
        let snapshot = session.snapshot()
        finish { $0.snapshot = snapshot }
    }

    private func finish(_ change: (inout Shared) -> Void) {
        shared.withLock { change(&$0) }
        output.signal()
    }

    /// Waits for a line; `nil`: the thread shall end.
    private func nextLine() -> String? {
        while true {
            let (line, isClosing) = shared.withLock { shared in
                (shared.lines.isEmpty ? nil : shared.lines.removeFirst(), shared.isClosing)
            }
            if let line { return line }
            if isClosing { return nil }
            input.wait()
            input.reset()
        }
    }
}
