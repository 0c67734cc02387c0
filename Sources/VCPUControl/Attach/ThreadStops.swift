internal import CKVM
internal import Glibc

/// A thread that has stopped.
///
/// Unsafe: hands the addresses of structs of C to system calls for the time of one call.
struct ThreadStop {
    var thread: Int32
    var kind: ckvm_stop
    /// Of a stop for a signal.
    var signal: Int32
    /// As of wait(2).
    var status: Int32
    /// The registers as they were; `nil` where the thread is no more.
    var user: user_regs_struct?
    /// The same at the VMM's own `KVM_RUN`, which it makes again unless `insist` is called.
    var run: user_regs_struct?

    /// Lets a thread make the call at which it stopped after all: the VMM is to have what comes of it.
    func insist() {
        guard var registers = run else { return }
        _ = unsafe ckvm_set_user(thread, &registers)
    }

    /// Lets a system call that our interrupt has ended with EINTR be made again.
    func rewind() {
        guard run == nil, var registers = user, registers.isInterrupted else { return }
        registers.again()
        _ = unsafe ckvm_set_user(thread, &registers)
    }

    /// The registers where a thread waits in a system call that is none of its `KVM_RUN`s.
    var waiting: user_regs_struct? {
        kind == ckvm_stop_interrupt && run == nil && user?.isWaiting == true ? user : nil
    }

    /// Lets a thread go on as if it had not been stopped.
    func undo() {
        if kind == ckvm_stop_entry { insist() }
        if kind == ckvm_stop_interrupt { rewind() }
    }
}

/// The stops of all threads that are traced, in the order in which they come.
///
/// A thread that stands in or at the VMM's own `KVM_RUN` must not be there when the tracer dies: to wake
/// it, the kernel marks it as if it had a signal (`ptrace_signal_wake_up`), and KVM returns EINTR, which
/// the VMM sees. So each such stop is taken from the kernel as soon as there is one, whatever the tracer
/// is about, and the thread put in front of its call: there it makes it anew.
///
/// What cannot be closed is the time from the stop to that. Nobody can set registers before the thread
/// has stopped, and nothing that would act in the place of a dead tracer is harmless: a breakpoint would
/// end the VMM, and a signal mask for `KVM_RUN`, which drops the mark, is one that nobody could take back.
///
/// Unsafe: hands the addresses of structs of C to system calls for the time of one call.
final class ThreadStops {
    private var waiting: [ThreadStop] = []
    /// Pages of our code: a `KVM_RUN` there is none of the VMM's own.
    private var code: Set<UInt64> = []

    /// The oldest stop; `nil` where no thread has stopped.
    func next() -> ThreadStop? {
        collect()
        return waiting.isEmpty ? nil : waiting.removeFirst()
    }

    /// Waits for the next stop of one thread; `nil` where it is no more.
    func next(of thread: Int32) -> ThreadStop? {
        while true {
            collect()
            if let index = waiting.firstIndex(where: { $0.thread == thread }) {
                return waiting.remove(at: index)
            }
            var stop = ckvm_thread_stop()
            let result = unsafe ckvm_wait_for(-1, &stop)
            if result == 0 { waiting.append(secured(stop)) }
            guard result == 0 || result == -EINTR else { return nil }
        }
    }

    /// Gives a stop back to who waits for any.
    func giveBack(_ stop: ThreadStop) { waiting.insert(stop, at: 0) }

    func insertCode(_ page: UInt64) { code.insert(page) }

    func removeCode(_ page: UInt64) { code.remove(page) }

    private func collect() {
        var stop = ckvm_thread_stop()
        while unsafe ckvm_wait(&stop) == 0 { waiting.append(secured(stop)) }
    }

    private func secured(_ stop: ckvm_thread_stop) -> ThreadStop {
        var found = ThreadStop(
            thread: stop.thread, kind: stop.stop, signal: stop.signal, status: stop.status)
        var registers = user_regs_struct()
        guard stop.stop != ckvm_stop_gone, unsafe ckvm_get_user(stop.thread, &registers) == 0 else {
            return found
        }
        found.user = registers
        guard isRun(registers, stop.stop) else { return found }
        found.run = registers
        registers.again()
        _ = unsafe ckvm_set_user(stop.thread, &registers)
        return found
    }

    /// Whether a thread stands at the entry of a `KVM_RUN` of the VMM's own, or was interrupted in it.
    private func isRun(_ registers: user_regs_struct, _ kind: ckvm_stop) -> Bool {
        let isOpen =
            kind == ckvm_stop_entry || kind == ckvm_stop_interrupt && registers.isInterrupted
        return isOpen && Tracee.vcpu(of: registers) != nil && !code.contains(registers.rip & ~0xfff)
    }
}

/// Results of system calls that only the kernel and tracers see; linux/errno.h.
private enum Restart {
    static let system: Int64 = -512
    static let noInterrupt: Int64 = -513
    static let noHandler: Int64 = -514
    static let block: Int64 = -516
}

extension user_regs_struct {
    private var result: Int64 { Int64(bitPattern: UInt64(rax)) }
    private var isInCall: Bool { Int64(bitPattern: UInt64(orig_rax)) >= 0 }

    /// Whether a system call has ended with EINTR.
    var isInterrupted: Bool { result == Int64(-EINTR) && isInCall }

    /// Whether a system call has been interrupted, and can be made again.
    var isWaiting: Bool {
        isInCall
            && [
                Int64(-EINTR), Restart.system, Restart.noInterrupt, Restart.noHandler,
                Restart.block,
            ]
            .contains(result)
    }

    /// Whether the kernel makes it again behind a handler that wants that.
    var isRestarted: Bool { [Restart.system, Restart.noInterrupt].contains(result) }

    /// Goes back in front of the system call.
    mutating func again() {
        let number = result == Restart.block ? UInt64(SystemCall.restart) : UInt64(orig_rax)
        (rip, rax, orig_rax) = (rip &- 2, number, .max)
    }
}
