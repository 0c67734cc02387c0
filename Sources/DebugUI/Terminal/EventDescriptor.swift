internal import CNcurses
import Glibc

/// A descriptor that one thread signals and another waits for; eventfd(2).
struct EventDescriptor: ~Copyable, Sendable {
    let descriptor: Int32

    init() throws(TerminalError) {
        descriptor = cncurses_eventfd()
        guard descriptor >= 0 else { throw .noDescriptor(errno: errno) }
    }

    deinit { _ = close(descriptor) }

    /// Makes the descriptor readable.
    func signal() {
        var one: UInt64 = 1
        // The kernel copies 8 bytes out of the variable during the call.
        _ = unsafe write(descriptor, &one, 8)
    }

    /// Makes the descriptor unreadable until the next signal.
    func reset() {
        var count: UInt64 = 0
        // The kernel copies 8 bytes into the variable during the call.
        _ = unsafe read(descriptor, &count, 8)
    }

    /// Waits until the descriptor is readable.
    ///
    /// - Parameter milliseconds: `nil` waits for ever.
    /// - Returns: whether it is.
    @discardableResult
    func wait(milliseconds: Int32? = nil) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let count = unsafe poll(&entry, 1, milliseconds ?? -1)
            if count >= 0 { return count > 0 }
            guard errno == EINTR else { return false }
        }
    }
}
