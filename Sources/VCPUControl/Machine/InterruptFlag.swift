internal import Glibc
import Synchronization

/// A request to the machine that runs the guest, raised by any thread or signal handler and taken
/// by the thread that runs it: to stop, or to let somebody look.
package final class InterruptFlag: Sendable {
    private static let stop: UInt8 = 1
    private static let look: UInt8 = 2

    private let requests = Atomic<UInt8>(0)
    /// The thread that would not see a request, for it is in the guest; 0: none.
    private let absent = Atomic<pthread_t>(0)

    package init() {}

    /// Asks for a stop; async-signal-safe.
    package func raise() {
        _ = requests.bitwiseOr(Self.stop, ordering: .sequentiallyConsistent)
        let thread = absent.load(ordering: .sequentiallyConsistent)
        if thread != 0 { pthread_kill(thread, SIGURG) }
    }

    /// Has a stop that is asked for send SIGURG to the calling thread while the body runs.
    ///
    /// Whoever looks at the flag in the body misses no request: it was raised before, or comes
    /// with a signal.
    func kicking<Result>(during body: () -> Result) -> Result {
        absent.store(pthread_self(), ordering: .sequentiallyConsistent)
        defer { absent.store(0, ordering: .sequentiallyConsistent) }
        return body()
    }

    package var isRaised: Bool { requests.load(ordering: .relaxed) & Self.stop != 0 }

    /// Lowers the flag, and says whether it was raised.
    package func take() -> Bool { take(Self.stop) }

    /// Asks a running machine to return for a moment, without a stop.
    package func requestLook() { _ = requests.bitwiseOr(Self.look, ordering: .relaxed) }

    /// Whether a machine has a reason to return.
    package var isAnythingWanted: Bool { requests.load(ordering: .relaxed) != 0 }

    /// Says whether somebody wanted to look, and forgets it.
    package func takeLook() -> Bool { take(Self.look) }

    private func take(_ request: UInt8) -> Bool {
        // Most of the time there is nothing, and a load costs less than an exchange.
        guard requests.load(ordering: .relaxed) & request != 0 else { return false }
        return requests.bitwiseAnd(~request, ordering: .relaxed).oldValue & request != 0
    }
}
