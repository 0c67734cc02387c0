internal import CKVM
internal import Glibc

// Running the guest from our code, and what each stop of the thread means.
extension Tracee {
    /// Tells KVM where to stop, unless it knows.
    func setDebug(_ wanted: GuestDebug) throws(TraceFailure) {
        var wanted = wanted
        wanted.blocksInterrupts = wanted.steps && canBlockInterrupts
        let vmm = vmmDebug ?? .off
        guard debug != wanted || isDebugStale && (wanted != .off || vmm != .off) else { return }
        guard wanted == .off || vmmDebug != nil || !isDebugged else { throw Self.unseenDebug(vcpu) }
        data.debugging = 1
        try writeData()
        let (result, _) = try ioctl(
            ckvm_request_set_guest_debug, wanted.bytes(beside: vmm))
        if result == -EINVAL, wanted.blocksInterrupts {
            canBlockInterrupts = false
            return try setDebug(wanted)
        }
        guard result >= 0 else {
            throw .refused(
                "KVM_SET_GUEST_DEBUG of vCPU \(vcpu.number) fails with errno \(-result): this vCPU"
                    + " cannot be stepped (SEV-ES refuses it)")
        }
        (debug, isDebugStale) = (wanted, false)
        guard wanted == .off else { return }
        data.debugging = 0
        try writeData()
    }

    private static func unseenDebug(_ vcpu: ForeignVCPU) -> TraceFailure {
        .refused(
            "the VMM debugs vCPU \(vcpu.number) itself (its last exit was KVM_EXIT_DEBUG), and would"
                + " lose what it has set if this were stepped; root can see that by BPF, and others"
                + " when the VMM sets it again: continue, and interrupt later")
    }

    /// Takes what KVM has been told by the VMM, unless that has told something else since.
    func learn(_ debug: VMMDebug) throws(TraceFailure) {
        guard vmmDebug == nil else { return }
        vmmDebug = debug
        if code != 0 { try writeData() }
    }

    /// Lets the held vCPU run; `pushed` is where PUSHF will put its trap flag, 0 where it is not about that.
    func start(_ wanted: GuestDebug, pushed: UInt64 = 0) throws(TraceFailure) {
        try setDebug(wanted)
        page.validRegisters = wantedRegisters
        if data.interrupting == 0 || data.pushed != pushed {
            (data.interrupting, data.pushed) = (1, pushed)
            try writeData()
        }
        try setUser(
            calling(code + UInt64(InjectedCode.layout.run), SystemCall.ioctl, runArguments))
        try setMask(runMask)
        (state, started) = (.starting, .now)
        try resume()
    }

    /// An interruption that comes from now on is no longer the tracer's: its death must not hide a signal.
    func expectSignals() throws(TraceFailure) {
        guard state == .running, data.interrupting != 0 else { return }
        data.interrupting = 0
        try writeData()
    }

    /// Asks the running thread to stop; an event follows.
    func interrupt() throws(TraceFailure) {
        if data.interrupting == 0 {
            data.interrupting = 1
            try writeData()
        }
        (wasInterrupted, started) = (true, .now)
        try checked(ckvm_interrupt(thread), "PTRACE_INTERRUPT")
    }

    /// Takes a stop of the thread, and moves it on.
    func handle(
        _ stop: ThreadStop
    ) throws(TraceFailure) -> Event? {
        if stop.kind == ckvm_stop_gone { throw .ended(status: stop.status) }
        switch state {
        case .outside: return try handleOutside(stop)
        case .starting: try handleStarting(stop)
        case .running: return try handleRunning(stop)
        case .stepping: return try handleStepping(stop)
        case .settling: return try handleSettling(stop)
        case .held: break
        }
        return nil
    }

    private func handleOutside(
        _ stop: ThreadStop
    ) throws(TraceFailure) -> Event? {
        if let registers = stop.run, Self.vcpu(of: registers) == vcpu.descriptor {
            return try capture(stop, registers)
        }
        switch stop.kind {
        case ckvm_stop_signal where stop.signal == trap:
            wasTrapped = true
            try resume()
        case ckvm_stop_signal: try resume(stop.signal)
        case ckvm_stop_group: try checked(ckvm_listen(thread), "PTRACE_LISTEN")
        default:
            stop.undo()
            try resume()
        }
        return nil
    }

    private func handleStarting(_ stop: ThreadStop) throws(TraceFailure) {
        switch stop.kind {
        case ckvm_stop_entry:
            state = .running
            try resume()
        case ckvm_stop_signal where stop.signal == trap:
            wasTrapped = true
            try settle()
        case ckvm_stop_signal: try forward(stop.signal)
        case ckvm_stop_interrupt: try settle()
        default: try resume()
        }
    }

    private func handleRunning(
        _ stop: ThreadStop
    ) throws(TraceFailure) -> Event? {
        guard stop.kind == ckvm_stop_exit else {
            try resume()
            return nil
        }
        let value = Int64(bitPattern: UInt64(try user(at: stop).rax))
        registers = page.registers
        let isDebug = value == 0 && isOurDebugExit
        guard isDebug || value == Int64(-EINTR) else { return try pass(value) }
        try finishStep(isDebug: isDebug)
        guard isDebug else {
            try settle()
            return nil
        }
        try setMask(Self.allSignals)
        state = .held
        return .debug
    }

    /// Looks who interrupted our `KVM_RUN`: signals and the tracer's interrupt come before the next
    /// system call.
    func settle() throws(TraceFailure) {
        state = .settling
        try setUser(calling(code + UInt64(InjectedCode.layout.call), SystemCall.getpid, []))
        try resume()
    }

    private func handleSettling(
        _ stop: ThreadStop
    ) throws(TraceFailure) -> Event? {
        switch stop.kind {
        case ckvm_stop_entry:
            try setMask(Self.allSignals)
            state = .held
            // Someone set immediate_exit: the VMM is to have its EINTR.
            if page.immediateExit {
                try deliver(Int64(-EINTR))
                return nil
            }
            return held(wasInterrupted ? .interrupted : .entered)
        case ckvm_stop_signal where stop.signal == trap:
            wasTrapped = true
            try resume()
        case ckvm_stop_signal: try forward(stop.signal)
        default: try resume()
        }
        return nil
    }

    /// Gives the VMM a signal as it would have come: in its `KVM_RUN`, which returns EINTR, or an exit
    /// that it has not seen yet.
    func forward(_ signal: Int32, _ result: Int64 = Int64(-EINTR)) throws(TraceFailure) {
        if isIgnored(signal) { return try resume() }
        // The code there undoes all the rest.
        try setUser(calling(code + UInt64(InjectedCode.layout.result), Int(result), []))
        state = .outside
        try resume(signal)
    }
}
