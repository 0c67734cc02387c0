import Glibc

/// A stack of its own for signal handlers, so that one can run when a thread's stack is full.
enum SignalStack {
    private static let size = 64 << 10

    /// Gives the calling thread its stack, which stays for the life of the process; sigaltstack(2).
    static func install() {
        guard let memory = unsafe malloc(size) else { return }
        // The memory is never freed: the kernel may use it until the process ends.
        var stack = unsafe stack_t(ss_sp: memory, ss_flags: 0, ss_size: size)
        _ = unsafe sigaltstack(&stack, nil)
    }
}
