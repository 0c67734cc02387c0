internal import CKVM
internal import Glibc

/// Finds the threads that run the vCPUs of a process: seizes what may be one, and waits for `KVM_RUN`.
///
/// Unsafe: the kernel fills in registers during the call.
struct ThreadSearch {
    private let process: Int32
    private var pages: [Int32: ForeignRunPage] = [:]
    private var seized: Set<Int32> = []
    /// vCPUs whose thread is not known yet.
    private(set) var missing: [ForeignVCPU]

    /// Maps the `kvm_run` of each vCPU.
    init(_ process: Int32, _ vcpus: [ForeignVCPU]) throws(TraceFailure) {
        self.process = process
        missing = vcpus
        let pidfd = ckvm_pidfd_open(process)
        guard pidfd >= 0 else { throw .refused("process \(process) has ended") }
        defer { _ = close(pidfd) }
        for vcpu in vcpus { pages[vcpu.descriptor] = try Self.page(of: vcpu, pidfd) }
    }

    private static func page(
        of vcpu: ForeignVCPU, _ pidfd: Int32
    ) throws(TraceFailure) -> ForeignRunPage {
        guard vcpu.run != 0 else {
            throw .refused("the VMM has not mapped the kvm_run of vCPU \(vcpu.number) yet")
        }
        let descriptor = ckvm_pidfd_getfd(pidfd, vcpu.descriptor)
        guard descriptor >= 0 else {
            throw .refused(
                "cannot have the descriptor of vCPU \(vcpu.number): errno \(-descriptor)"
                    + " (pidfd_getfd needs the permission to trace)")
        }
        defer { _ = close(descriptor) }
        guard let page = ForeignRunPage(descriptor, size: Int(vcpu.runSize)) else {
            throw .refused("cannot map the kvm_run of vCPU \(vcpu.number)")
        }
        return page
    }

    /// Stops threads that may be wanted.
    mutating func seize(_ threads: [Int32]) throws(TraceFailure) {
        for thread in threads where !seized.contains(thread) {
            let result = ckvm_seize(thread)
            if result == -ESRCH { continue }
            guard result == 0 else {
                throw .refused(
                    "cannot trace thread \(thread) of process \(process) (PTRACE_SEIZE: errno"
                        + " \(-result)): " + ProcessInspector(process: process).denial)
            }
            seized.insert(thread)
            _ = ckvm_interrupt(thread)
        }
    }

    /// Moves a seized thread on.
    ///
    /// - Returns: the vCPU at whose `KVM_RUN` it stands.
    mutating func take(
        _ stop: ckvm_thread_stop
    ) throws(TraceFailure) -> (ForeignVCPU, ForeignRunPage)? {
        let thread = stop.thread
        switch stop.stop {
        case ckvm_stop_gone:
            seized.remove(thread)
            return nil
        case ckvm_stop_entry:
            if let found = bind(thread) { return found }
        case ckvm_stop_interrupt: try Self.rewind(thread)
        case ckvm_stop_group:
            _ = ckvm_listen(thread)
            return nil
        default: break
        }
        _ = ckvm_resume(thread, stop.stop == ckvm_stop_signal ? stop.signal : 0)
        return nil
    }

    private mutating func bind(_ thread: Int32) -> (ForeignVCPU, ForeignRunPage)? {
        var registers = user_regs_struct()
        guard unsafe ckvm_get_user(thread, &registers) == 0,
            let descriptor = Tracee.vcpu(of: registers),
            let index = missing.firstIndex(where: { $0.descriptor == descriptor }),
            let page = pages[descriptor]
        else { return nil }
        seized.remove(thread)
        return (missing.remove(at: index), page)
    }

    /// Lets a system call that our interrupt has ended with EINTR be made again.
    static func rewind(_ thread: Int32) throws(TraceFailure) {
        var registers = user_regs_struct()
        guard unsafe ckvm_get_user(thread, &registers) == 0,
            Int64(bitPattern: UInt64(registers.rax)) == Int64(-EINTR),
            Int64(bitPattern: UInt64(registers.orig_rax)) >= 0
        else { return }
        registers.rip &-= 2
        registers.rax = registers.orig_rax
        registers.orig_rax = .max
        _ = unsafe ckvm_set_user(thread, &registers)
    }

    /// Lets go of the threads that were none.
    mutating func leave() {
        for thread in seized { Self.letGo(thread) }
        seized = []
    }

    /// Detaches from a thread that runs, wherever it is in its own code.
    ///
    /// A stop at a system call takes the place of the one that was asked for, and shows the EINTR then.
    static func letGo(_ thread: Int32) {
        _ = ckvm_interrupt(thread)
        for _ in 0..<100 {
            var stop = ckvm_thread_stop()
            guard unsafe ckvm_wait_for(thread, &stop) == 0, stop.stop != ckvm_stop_gone else {
                return
            }
            switch stop.stop {
            case ckvm_stop_interrupt, ckvm_stop_group, ckvm_stop_exit:
                try? rewind(thread)
                _ = ckvm_detach(thread, 0)
                return
            case ckvm_stop_signal: _ = ckvm_resume(thread, stop.signal)
            default: _ = ckvm_resume(thread, 0)
            }
        }
    }
}
