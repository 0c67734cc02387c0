internal import CNcurses
import Glibc

/// Puts the terminal back when the process dies of a signal or exits while the screen is in use.
///
/// Everything that the handler needs is prepared before; the handler itself only makes calls that
/// are safe in it (signal-safety(7)), and then lets the signal do what it did before. Its memory is
/// allocated once, before any handler can run, and never freed.
enum TerminalGuard {
    /// What the handler needs.
    @safe private struct Rescue {
        var modes: termios
        /// What ends the screen: keypad off, colours and cursor as before, the other screen.
        var bytes: UnsafeMutablePointer<UInt8>
        var count: Int
        /// By signal number.
        var oldActions: UnsafeMutablePointer<sigaction>
        /// The real stderr, and the file that stands in for it; -1 where it is left alone.
        var realError: Int32 = -1
        var capturedError: Int32 = -1
    }

    private static let fatalSignals = [
        SIGHUP, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGTERM,
    ]

    /// Set once by the main thread; handlers on any thread read it.
    nonisolated(unsafe) private static var rescue: UnsafeMutablePointer<Rescue>?
    /// Whether the screen is in use: only then there is something to put back.
    nonisolated(unsafe) private static var isArmed = false

    /// Notes the terminal as it is now, and what ends the screen; once, before the screen begins.
    static func prepare(ending bytes: [UInt8]) {
        guard unsafe rescue == nil else { return }
        SignalStack.install()
        var modes = termios()
        _ = unsafe tcgetattr(STDIN_FILENO, &modes)
        let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
        for (index, byte) in bytes.enumerated() { unsafe copy[index] = byte }
        let actions = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)
        unsafe actions.initialize(repeating: sigaction(), count: 65)
        let place = UnsafeMutablePointer<Rescue>.allocate(capacity: 1)
        unsafe place.initialize(
            to: Rescue(modes: modes, bytes: copy, count: bytes.count, oldActions: actions))
        unsafe rescue = place
        atexit { TerminalGuard.restore() }
    }

    /// From here on the terminal is put back on every way out.
    static func arm() {
        guard let rescue = unsafe rescue, unsafe !isArmed else { return }
        captureError()
        unsafe isArmed = true
        for signal in fatalSignals {
            let old = unsafe rescue.pointee.oldActions + Int(signal)
            _ = unsafe sigaction(signal, nil, old)
            guard unsafe !isIgnored(old.pointee) else { continue }
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_handler = { TerminalGuard.die($0) }
            action.sa_flags = SA_ONSTACK
            _ = unsafe sigaction(signal, &action, nil)
        }
    }

    /// Signals do again what they did before; the caller has put the terminal back itself.
    static func disarm() {
        guard let rescue = unsafe rescue, unsafe isArmed else { return }
        for signal in fatalSignals {
            _ = unsafe sigaction(signal, rescue.pointee.oldActions + Int(signal), nil)
        }
        unsafe isArmed = false
        releaseError()
    }

    private static func isIgnored(_ action: sigaction) -> Bool {
        // Function pointers have no equality; as integers they do.
        unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    // MARK: In the handler

    private static func die(_ signal: Int32) {
        restore()
        if let rescue = unsafe rescue {
            _ = unsafe sigaction(signal, rescue.pointee.oldActions + Int(signal), nil)
        }
        // Blocked while its handler runs: it strikes when the handler returns.
        _ = raise(signal)
    }

    /// Puts the terminal back, if the screen is in use.
    private static func restore() {
        guard let rescue = unsafe rescue, unsafe isArmed else { return }
        unsafe isArmed = false
        _ = unsafe write(STDOUT_FILENO, rescue.pointee.bytes, rescue.pointee.count)
        _ = tcflush(STDIN_FILENO, TCIFLUSH)
        _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &rescue.pointee.modes)
        releaseError()
    }

    // MARK: stderr

    /// Keeps what is written to stderr away from the screen, if that is where it would go.
    private static func captureError() {
        guard let rescue = unsafe rescue, isatty(STDERR_FILENO) == 1 else { return }
        let file = cncurses_memory_file()
        guard file >= 0 else { return }
        unsafe rescue.pointee.realError = dup(STDERR_FILENO)
        unsafe rescue.pointee.capturedError = file
        _ = dup2(file, STDERR_FILENO)
    }

    /// Gives stderr back, and writes there what was kept away.
    private static func releaseError() {
        guard let rescue = unsafe rescue, unsafe rescue.pointee.realError >= 0 else { return }
        _ = unsafe dup2(rescue.pointee.realError, STDERR_FILENO)
        _ = unsafe close(rescue.pointee.realError)
        let file = unsafe rescue.pointee.capturedError
        unsafe rescue.pointee.realError = -1
        _ = lseek(file, 0, SEEK_SET)
        var byte: UInt8 = 0
        while unsafe read(file, &byte, 1) == 1 { _ = unsafe write(STDERR_FILENO, &byte, 1) }
        _ = close(file)
    }
}
