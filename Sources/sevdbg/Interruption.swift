import Glibc
import VCPUControl

/// SIGINT as a request to stop the guest; a second one ends the program.
enum Interruption {
    /// What the handler raises; it cannot carry anything with it.
    static let flag = InterruptFlag()

    static func catchSignals() {
        // Swift's backtracer would take Ctrl-\ for a crash, and ask for keys.
        signal(SIGQUIT, SIG_DFL)
        // The handler must find the flag made: making it is not async-signal-safe.
        _ = flag.isRaised
        signal(SIGINT) { _ in
            Interruption.flag.raise()
            signal(SIGINT, SIG_DFL)
        }
        unblock(SIGINT)
    }

    /// Whoever started the program may have blocked the signal: threads of libdispatch do.
    private static func unblock(_ signal: Int32) {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, signal)
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }
}
