internal import CNcurses
import Glibc

/// Puts the terminal back when the process dies of a signal or exits while the screen is in use.
///
/// Everything that the handler needs is prepared before; the handler itself only makes calls that
/// are safe in it (signal-safety(7)), and then lets the signal end the process. Its memory is
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
        /// The terminal: for the screen, and for what is written when the screen is over.
        var screen = cncurses_duplicate(STDOUT_FILENO)
        var output = cncurses_duplicate(STDOUT_FILENO)
        /// Where the screen's bytes go when it is over.
        var void = unsafe open("/dev/null", O_WRONLY | O_CLOEXEC)
        /// The real stderr; -1 where it is left alone.
        var error: Int32 = -1
        /// Whether Swift's backtracer, which asks for keys on a terminal, shall have its say.
        var showsBacktrace = unsafe getenv("SWIFT_BACKTRACE") != nil
        /// The file that stands in for stdout and stderr; -1 where there is none.
        var stray: Int32 = -1
    }

    /// All that end a process, but SIGKILL and those that are events of the terminal.
    private static let fatalSignals = [
        SIGHUP, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGTERM, SIGUSR1,
        SIGUSR2, SIGPIPE, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ, SIGSYS,
    ]

    /// Set once by the main thread; handlers on any thread read it.
    nonisolated(unsafe) private static var rescue: UnsafeMutablePointer<Rescue>?
    /// Whether the screen is in use: only then there is something to put back.
    nonisolated(unsafe) private static var isArmed = false

    /// Notes the terminal as it is now, and what ends the screen; once, before the screen begins.
    ///
    /// - Returns: the descriptor that the screen has to write to.
    static func prepare(ending bytes: [UInt8]) -> Int32 {
        if let rescue = unsafe rescue { return unsafe rescue.pointee.screen }
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
        return unsafe place.pointee.screen
    }

    /// From here on the terminal is put back on every way out.
    static func arm() {
        guard let rescue = unsafe rescue, unsafe !isArmed else { return }
        captureStrays()
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
        releaseStrays()
    }

    private static func isIgnored(_ action: sigaction) -> Bool {
        // Function pointers have no equality; as integers they do.
        unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    // MARK: In the handler

    private static func die(_ signal: Int32) {
        restore()
        if let rescue = unsafe rescue, unsafe rescue.pointee.showsBacktrace {
            _ = unsafe sigaction(signal, rescue.pointee.oldActions + Int(signal), nil)
        } else {
            var action = sigaction()
            _ = unsafe sigaction(signal, &action, nil)
        }
        // Blocked while its handler runs: it strikes when the handler returns.
        _ = raise(signal)
    }

    /// Puts the terminal back, if the screen is in use.
    private static func restore() {
        guard let rescue = unsafe rescue, unsafe isArmed else { return }
        unsafe isArmed = false
        // The main thread may be drawing: nothing of that must come behind the end.
        _ = unsafe dup2(rescue.pointee.void, rescue.pointee.screen)
        if isForeground {
            if unsafe isWritable(rescue.pointee.output) {
                _ = unsafe write(
                    rescue.pointee.output, rescue.pointee.bytes, rescue.pointee.count)
            }
            _ = tcflush(STDIN_FILENO, TCIFLUSH)
            _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &rescue.pointee.modes)
        }
        releaseStrays()
    }

    /// Whether the terminal is ours to change: the shell may have it, and changing it would stop us.
    private static var isForeground: Bool {
        let group = tcgetpgrp(STDIN_FILENO)
        return group <= 0 || group == getpgrp()
    }

    /// Whether a descriptor takes bytes: a terminal that nobody reads must not keep us alive.
    private static func isWritable(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&entry, 1, 100) == 1
    }

    // MARK: Stray output

    /// Keeps what anybody writes to stdout and stderr away from the screen.
    private static func captureStrays() {
        guard let rescue = unsafe rescue else { return }
        let file = cncurses_memory_file()
        guard file >= 0 else { return }
        unsafe rescue.pointee.stray = file
        _ = dup2(file, STDOUT_FILENO)
        guard isatty(STDERR_FILENO) == 1 else { return }
        unsafe rescue.pointee.error = cncurses_duplicate(STDERR_FILENO)
        _ = dup2(file, STDERR_FILENO)
    }

    /// Gives stdout and stderr back, and writes to stderr what was kept away.
    private static func releaseStrays() {
        guard let rescue = unsafe rescue, unsafe rescue.pointee.stray >= 0 else { return }
        _ = unsafe dup2(rescue.pointee.output, STDOUT_FILENO)
        if unsafe rescue.pointee.error >= 0 {
            _ = unsafe dup2(rescue.pointee.error, STDERR_FILENO)
            _ = unsafe close(rescue.pointee.error)
            unsafe rescue.pointee.error = -1
        }
        let file = unsafe rescue.pointee.stray
        unsafe rescue.pointee.stray = -1
        _ = lseek(file, 0, SEEK_SET)
        var byte: UInt8 = 0
        while unsafe read(file, &byte, 1) == 1 { _ = unsafe write(STDERR_FILENO, &byte, 1) }
        _ = close(file)
    }
}
