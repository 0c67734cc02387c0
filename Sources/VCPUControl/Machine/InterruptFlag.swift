import Synchronization

/// A request to stop the guest, raised by any thread or signal handler and taken by the machine.
package final class InterruptFlag: Sendable {
    private let raised = Atomic<Bool>(false)

    package init() {}

    /// Asks for a stop; async-signal-safe.
    package func raise() { raised.store(true, ordering: .relaxed) }

    package var isRaised: Bool { raised.load(ordering: .relaxed) }

    /// Lowers the flag, and says whether it was raised.
    package func take() -> Bool { raised.exchange(false, ordering: .relaxed) }
}
