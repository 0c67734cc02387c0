import Glibc
import Testing

/// A signal to the calling thread, kept back as long as this object lives.
///
/// Unsafe: signal sets are filled in by address.
@safe final class PendingSignal {
    private var set = sigset_t()
    private var old = sigset_t()

    init(_ number: Int32) throws {
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, number)
        try #require(unsafe pthread_sigmask(SIG_BLOCK, &set, &old) == 0)
        while take() {}
    }

    deinit {
        while take() {}
        unsafe pthread_sigmask(SIG_SETMASK, &old, nil)
    }

    /// Whether it has come since the last call.
    func take() -> Bool {
        var now = timespec()
        return unsafe sigtimedwait(&set, nil, &now) > 0
    }
}
