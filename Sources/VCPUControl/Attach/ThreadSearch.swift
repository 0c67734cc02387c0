internal import CKVM
internal import Glibc

/// Finds the threads that run the vCPUs of a process: seizes what may be one, and waits for `KVM_RUN`.
///
/// Unsafe: the kernel fills in registers during the call.
struct ThreadSearch {
    private let process: Int32
    private let stops: ThreadStops
    private var pages: [Int32: ForeignRunPage] = [:]
    private var seized: Set<Int32> = []
    /// vCPUs whose thread is not known yet.
    private(set) var missing: [ForeignVCPU]

    /// Maps the `kvm_run` of each vCPU.
    init(
        _ process: Int32, _ vcpus: [ForeignVCPU], _ stops: ThreadStops
    ) throws(TraceFailure) {
        (self.process, self.stops, missing) = (process, stops, vcpus)
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
    mutating func take(_ stop: ThreadStop) -> (ForeignVCPU, ForeignRunPage)? {
        if let found = bind(stop) { return found }
        switch stop.kind {
        case ckvm_stop_gone: seized.remove(stop.thread)
        case ckvm_stop_group: _ = ckvm_listen(stop.thread)
        case ckvm_stop_signal: _ = ckvm_resume(stop.thread, stop.signal)
        // The KVM_RUN of another VM.
        case ckvm_stop_entry where stop.run != nil:
            stops.insist(stop)
            _ = ckvm_resume(stop.thread, 0)
        case ckvm_stop_interrupt where stop.run == nil:
            Self.rewind(stop.thread)
            _ = ckvm_resume(stop.thread, 0)
        default: _ = ckvm_resume(stop.thread, 0)
        }
        return nil
    }

    private mutating func bind(_ stop: ThreadStop) -> (ForeignVCPU, ForeignRunPage)? {
        guard let descriptor = stop.run.flatMap(Tracee.vcpu),
            let index = missing.firstIndex(where: { $0.descriptor == descriptor }),
            let page = pages[descriptor]
        else { return nil }
        seized.remove(stop.thread)
        return (missing.remove(at: index), page)
    }

    /// Lets a system call that our interrupt has ended with EINTR be made again.
    private static func rewind(_ thread: Int32) {
        var registers = user_regs_struct()
        guard unsafe ckvm_get_user(thread, &registers) == 0, registers.isInterrupted else { return }
        registers.again()
        _ = unsafe ckvm_set_user(thread, &registers)
    }

    /// Lets go of the threads that were none.
    mutating func leave() {
        for thread in seized { Self.letGo(thread, stops) }
        seized = []
    }

    /// Detaches from a thread that runs, wherever it is in its own code.
    ///
    /// A stop at a system call takes the place of the one that was asked for, and shows the EINTR then.
    static func letGo(_ thread: Int32, _ stops: ThreadStops) {
        _ = ckvm_interrupt(thread)
        for _ in 0..<100 {
            guard let stop = stops.next(of: thread), stop.kind != ckvm_stop_gone else { return }
            switch stop.kind {
            case ckvm_stop_interrupt, ckvm_stop_group, ckvm_stop_exit:
                if stop.run == nil { rewind(thread) }
                _ = ckvm_detach(thread, 0)
                return
            // Its call is made after all, or the thread is in front of it already.
            case ckvm_stop_entry where stop.run != nil:
                _ = ckvm_detach(thread, 0)
                return
            case ckvm_stop_signal: _ = ckvm_resume(thread, stop.signal)
            default: _ = ckvm_resume(thread, 0)
            }
        }
    }
}
