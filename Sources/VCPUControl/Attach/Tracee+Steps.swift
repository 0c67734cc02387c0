internal import CKVM
internal import Glibc

// Stepping: one step at a time, or many in the injected code.
extension Tracee {
    /// What a debugger that is killed leaves the vCPU to step at most.
    private static let mostSteps: UInt64 = 4096
    /// A step that takes longer is interrupted: its fault handler may never come back.
    private static let patience = Duration.seconds(1)

    /// A signal that does nothing to the VMM and that the thread does not block; `nil`: there is none.
    private var messenger: Int32? {
        [SIGURG, SIGWINCH, SIGPIPE, SIGCHLD].first {
            $0 != trap && (ignored & ~mask) >> UInt64($0 - 1) & 1 != 0
        }
    }

    var isOverdue: Bool {
        guard state == .running || state == .stepping, origin != nil else { return false }
        return .now - started > Self.patience
    }

    /// Lets the held vCPU make one step, with the processor's breakpoints at some addresses; over a HLT
    /// it runs free.
    func startStep(_ hazard: StepHazard?, addresses: [UInt64] = []) throws(TraceFailure) {
        self.hazard = hazard
        let target = try interruptTarget().map { [$0] } ?? []
        page.expectTrap()
        try start(
            GuestDebug(steps: hazard != .halt, addresses: addresses + target),
            pushed: pushedFlags())
        origin = registers[.rip]
    }

    /// Lets the held vCPU make many steps, up to the first instruction that has to be looked at.
    ///
    /// - Returns: false where that cannot be done.
    func startSteps(_ count: UInt64, endingAt breakpoints: Set<UInt64>) throws(TraceFailure) -> Bool
    {
        let isVMMStepping = vmmDebug?.control.contains(.singleStep) ?? false
        guard let signal = messenger, knowsTraps, !isVMMStepping else { return false }
        try setDebug(GuestDebug(steps: true))
        page.validRegisters = wantedRegisters
        (data.interrupting, data.pushed, data.signal) = (0, 0, UInt64(signal))
        try writeData()
        let table = scratch + UInt64(Self.argumentSize)
        try memory.write(guest.table(breakpoints), to: table)
        (hazard, origin, started) = (nil, registers[.rip], .now)
        batch = min(count, Self.mostSteps)
        var user = calling(
            code + UInt64(InjectedCode.layout.steps), SystemCall.ioctl, runArguments)
        (user.rbp, user.r12, user.r15) = (vcpu.run, registers[.rip], table)
        (user.r13, user.r14) = (traps ? 1 : 0, batch)
        page.expectTrap()
        try setUser(user)
        try setMask(runMask)
        state = .stepping
        try checked(ckvm_continue(thread, 0), "PTRACE_CONT")
        return true
    }

    /// Counts a step that is over: KVM says so, or RIP has moved.
    func finishStep(isDebug: Bool) throws(TraceFailure) {
        // Whatever was not a trap of the processor may have cost SVM's vCPU its trap flag.
        let isTrap = isDebug && page.hasTrapped
        if debug.steps, !isTrap || hazard != nil { isDebugStale = true }
        guard let origin, isDebug && page.debugEvent.hits.isEmpty || registers[.rip] != origin
        else {
            return
        }
        if isDebug {
            (knowsTraps, traps) = (true, traps || isTrap)
            try hideTrapFlag()
        }
        if hazard == .changesMapping { guest.forget() }
        (self.origin, hasStepped) = (nil, true)
        steps += 1
    }

    /// Says whether the vCPU has made a step since the last call.
    func takeProgress() -> Bool {
        defer { hasStepped = false }
        return hasStepped
    }
}

// Steps over instructions that move the trap flag.
extension Tracee {
    /// Where IRETQ leads to.
    private func interruptTarget() throws(TraceFailure) -> UInt64? {
        guard hazard == .interruptReturn(isQuad: true),
            let host = try host(of: registers[.rsp], count: 8)
        else { return nil }
        return memory.read(host, count: 8).map { UInt64(littleEndian: $0) }
    }

    /// Where PUSHF will put the byte of RFLAGS with the trap flag; 0 where it is not about that.
    private func pushedFlags() throws(TraceFailure) -> UInt64 {
        guard case .pushesFlags(let hasOperandSize) = hazard, let system = try systemRegisters()
        else { return 0 }
        let isLong = system.efer >> 10 & 1 != 0 && system.cs.l != 0
        let isWide = (system.cs.db != 0) != hasOperandSize
        let size: UInt64 = isLong ? (hasOperandSize ? 2 : 8) : (isWide ? 4 : 2)
        let place = registers[.rsp] &- size &+ 1
        if isLong { return try host(of: place) ?? 0 }
        let limit: UInt64 = system.ss.db != 0 ? 0xffff_ffff : 0xffff
        return try host(of: system.ss.base &+ (place & limit)) ?? 0
    }

    private func hideTrapFlag() throws(TraceFailure) {
        guard data.pushed != 0, let byte = memory.read(data.pushed, count: 1)?.first else { return }
        try memory.write([byte & 0xfe], to: data.pushed)
    }
}

// What is ahead of a held vCPU.
extension Tracee {
    /// What there is to know of the instruction at RIP.
    func lookAhead() throws(TraceFailure) -> StepHazard? {
        let rip = registers[.rip]
        var page: GuestCode.Page
        if let known = guest.take(rip) { page = known } else { page = try findPage(rip & ~0xfff) }
        if !page.isRead { page.read(page.host.flatMap { memory.read($0, count: 4096) }) }
        guest.insert(page)
        return page.hazard(at: rip)
    }

    private func findPage(_ rip: UInt64) throws(TraceFailure) -> GuestCode.Page {
        guard let system = try systemRegisters() else { return .init(address: rip) }
        let isLong = system.efer >> 10 & 1 != 0 && system.cs.l != 0
        let address = isLong ? rip : rip &+ system.cs.base
        guard address & 0xfff == 0 else { return .init(address: rip) }
        return .init(address: rip, host: try host(of: address, count: 4096))
    }

    private func systemRegisters() throws(TraceFailure) -> kvm_sregs? {
        let (result, bytes) = try ioctl(ckvm_request_get_sregs, InjectedCode.raw(kvm_sregs()))
        return result == 0 ? ForeignMachine.value(of: bytes, kvm_sregs()) : nil
    }

    /// Where bytes of the guest lie in the VMM; `nil` where that is not known.
    private func host(of address: UInt64, count: Int = 1) throws(TraceFailure) -> UInt64? {
        try translate(address).flatMap { GuestExtent.host(of: $0, count: count, in: slots) }
    }

    /// `KVM_TRANSLATE`; `nil` where the guest maps nothing.
    private func translate(_ address: UInt64) throws(TraceFailure) -> UInt64? {
        var request = kvm_translation()
        request.linear_address = address
        let (result, bytes) = try ioctl(ckvm_request_translate, InjectedCode.raw(request))
        let found = ForeignMachine.value(of: bytes, request)
        return result == 0 && found.valid != 0 ? found.physical_address : nil
    }
}

// The stops of a thread that makes many steps.
extension Tracee {
    func handleStepping(_ stop: ThreadStop) throws(TraceFailure) -> Event? {
        let user = try user(at: stop)
        let isTrap = stop.kind == ckvm_stop_signal && stop.signal == trap
        let isSignal = stop.kind == ckvm_stop_signal && !isTrap
        let isMessage =
            isSignal && stop.signal == Int32(data.signal)
            && user.rip == code + UInt64(InjectedCode.layout.told)
        wasTrapped = wasTrapped || isTrap
        if isSignal, !isMessage, isIgnored(stop.signal) {
            try checked(ckvm_continue(thread, 0), "PTRACE_CONT")
            return nil
        }
        let value = try takeSteps(user)
        let isDebug = value == 0 && isOurDebugExit
        if isMessage, isDebug {
            try setMask(Self.allSignals)
            state = .held
            return .debug
        }
        let isOpen = value.map { $0 != Int64(-EINTR) } ?? false && !isDebug
        if isSignal, !isMessage {
            let kind = isOpen && value == 0 ? page.exit : nil
            try forward(stop.signal, isOpen ? value ?? 0 : Int64(-EINTR))
            return kind.map { .passed($0) }
        }
        guard isOpen, let value else {
            try settle()
            return nil
        }
        return try pass(value)
    }

    /// Counts the steps that were made, wherever in the loop the thread stands.
    ///
    /// - Returns: what its last `KVM_RUN` returned; `nil` where the thread stands in front of one.
    private func takeSteps(_ user: user_regs_struct) throws(TraceFailure) -> Int64? {
        let (layout, place) = (InjectedCode.layout, Int(truncatingIfNeeded: user.rip &- code))
        var done = batch - min(user.r14, batch)
        var value: Int64?
        if place > layout.steps {
            value = Int64(bitPattern: place < layout.stepped ? user.rax : user.rbx)
            if value == 0, isOurDebugExit, place < layout.stepped { done += 1 }
        }
        guard value != nil || done > 0 else { return nil }
        registers = page.registers
        traps = traps || user.r13 == 1
        if done > 0 { (steps, hasStepped) = (steps + done, true) }
        if done == batch { guest.forget() }
        if value == 0, isOurDebugExit {
            origin = nil
            if !page.hasTrapped { isDebugStale = true }
        } else {
            origin = value == nil ? registers[.rip] : user.r12
            if value == Int64(-EINTR) { try finishStep(isDebug: false) }
        }
        return value
    }
}
