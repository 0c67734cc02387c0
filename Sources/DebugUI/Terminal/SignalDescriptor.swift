internal import CNcurses
import Glibc

/// The signals that are events of the terminal, blocked and read from a descriptor; signalfd(2).
///
/// Made before any other thread, so that every thread blocks them. The pointers that the C library
/// gets here are to variables that outlive the call, and it keeps none.
struct SignalDescriptor: ~Copyable {
    private static let signals = [SIGINT, SIGTSTP, SIGCONT, SIGWINCH]

    let descriptor: Int32
    /// The signals that were blocked before.
    private var mask = sigset_t()

    init() throws(TerminalError) {
        var set = Self.set(Self.signals)
        descriptor = unsafe cncurses_signalfd(&set)
        guard descriptor >= 0 else { throw .noDescriptor(errno: errno) }
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, &mask)
    }

    deinit {
        // What came for the terminal must not strike the program when that is over.
        for _ in 0..<100 where next() == nil { break }
        var mask = mask
        _ = unsafe pthread_sigmask(SIG_SETMASK, &mask, nil)
        _ = close(descriptor)
    }

    /// The next signal that has arrived.
    func next() -> Int32? {
        let signal = cncurses_next_signal(descriptor)
        return signal == 0 ? nil : signal
    }

    /// Stops the process group as Ctrl-Z does for other programs, and returns when it runs again.
    func stop() {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = SIG_DFL
        var old = sigaction()
        _ = unsafe sigaction(SIGTSTP, &action, &old)
        var set = Self.set([SIGTSTP])
        _ = kill(0, SIGTSTP)
        // Blocked until now: the process stops inside this call.
        _ = unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        _ = unsafe sigaction(SIGTSTP, &old, nil)
    }

    private static func set(_ signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        _ = unsafe sigemptyset(&set)
        for signal in signals { _ = unsafe sigaddset(&set, signal) }
        return set
    }
}
