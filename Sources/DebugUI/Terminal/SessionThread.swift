import Glibc
import Synchronization
package import VCPUControl

/// The thread that owns the session: lines go in, events and snapshots come out.
package final class SessionThread: Sendable {
    /// What came out since the last time.
    package struct Report: Sendable {
        package var events: [SessionEvent]
        /// How the guest stands; `nil` while a command is carried out.
        package var snapshot: Snapshot?
        /// Whether a command is over since the last time.
        package var isFinished: Bool
        /// Where the expression leads that was asked for last.
        package var place: Place?
        /// The guest while it runs, where a look was asked for.
        package var progress: RunProgress?
    }

    package struct Place: Sendable {
        package var text: String
        package var address: Result<GuestVirtualAddress, CommandFailure>
    }

    /// What the thread is asked for, in order.
    private enum Order: Sendable {
        case command(String)
        case look(SnapshotRequest)
        case locate(String)
    }

    private struct Shared: Sendable {
        var orders: [Order] = []
        var backlog = EventBacklog()
        var snapshot: Snapshot?
        var isFinished = false
        var place: Place?
        var interrupt: InterruptFlag?
        var progress: ProgressBoard?
        var failure: (any Error)?
        var isClosing = false
        var isOver = false
    }

    private let shared = Mutex(Shared())
    /// Signalled when there is something in `orders`, or the thread shall end.
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
        do throws(Thread.Failure) {
            try Thread.start {
                SignalStack.install()
                self.serve(makeSession)
            }
        } catch { throw TerminalError.noThread(errno: error.errno) }
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
            shared.orders.append(.command(line))
        }
        input.signal()
    }

    /// Asks for a snapshot; this and all that follow look at what is requested.
    package func look(_ request: SnapshotRequest) { add(.look(request)) }

    /// Asks where an expression leads.
    package func locate(_ text: String) { add(.locate(text)) }

    private func add(_ order: Order) {
        shared.withLock { $0.orders.append(order) }
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
            defer { (shared.snapshot, shared.isFinished, shared.place) = (nil, false, nil) }
            return Report(
                events: shared.backlog.take(), snapshot: shared.snapshot,
                isFinished: shared.isFinished, place: shared.place,
                progress: shared.progress?.take())
        }
    }

    /// Ends the session with `quit`, and waits for the thread, but not for ever.
    ///
    /// - Returns: the events that were left.
    package func close() -> [SessionEvent] {
        shared.withLock { shared in
            shared.orders = [.command("quit")]
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
            var request = SnapshotRequest()
            drain(session, request)
            while let order = nextOrder() { carryOut(order, &request, on: session) }
        } catch {
            shared.withLock { $0.failure = error }
        }
    }

    private func carryOut(
        _ order: Order, _ request: inout SnapshotRequest, on session: some DebugSession
    ) {
        switch order {
        case .command(let line):
            session.submit(line)
            drain(session, request)
        case .look(let wanted):
            request = wanted
            let snapshot = session.snapshot(request)
            finish { $0.snapshot = snapshot }
        case .locate(let text):
            let place = Place(text: text, address: session.locate(text))
            finish { $0.place = place }
        }
    }

    private func drain(_ session: some DebugSession, _ request: SnapshotRequest) {
        while let event = session.next() {
            shared.withLock { $0.backlog.append(event) }
        }
        let snapshot = session.snapshot(request)
        finish { ($0.snapshot, $0.isFinished) = (snapshot, true) }
    }

    private func finish(_ change: (inout Shared) -> Void) {
        shared.withLock { change(&$0) }
        output.signal()
    }

    /// Waits for an order; `nil`: the thread shall end.
    private func nextOrder() -> Order? {
        while true {
            let (order, isClosing) = shared.withLock { shared in
                (shared.orders.isEmpty ? nil : shared.orders.removeFirst(), shared.isClosing)
            }
            if let order { return order }
            if isClosing { return nil }
            input.wait()
            input.reset()
        }
    }
}
