internal import CKVM
internal import Glibc

// Into our code and out of it.
//
// Unsafe: the kernel fills in the mask during the call.
extension Tracee {
    /// Takes the thread in front of the VMM's `KVM_RUN`, and completes what the last exit left open.
    ///
    /// The registers are those at the call. An event of `nil` says that the thread had to be let go on.
    func capture(_ stop: ThreadStop, _ registers: user_regs_struct) throws(TraceFailure) -> Event? {
        // The VMM wants to come straight back.
        guard !page.immediateExit else {
            stop.insist()
            try resume()
            return nil
        }
        vmm = registers
        if code == 0 { isDebugged = page.debugEvent.isReal }
        (isKnown, isAway) = (true, false)
        guest.doubt()
        try checked(unsafe ckvm_get_mask(thread, &mask), "PTRACE_GETSIGMASK")
        data = stubData
        (debug, isDebugStale, wasInterrupted) = (.off, false, false)
        if code == 0, !adopt(), try !install() { return nil }
        try writeData()
        try setUser(calling(code + UInt64(InjectedCode.layout.call), SystemCall.getpid, []))
        try setMask(Self.allSignals)
        if scratch == 0 {
            scratch = try map(Self.scratchSize, PROT_READ | PROT_WRITE)
            data.scratch = scratch
        }
        return try complete()
    }

    private var stubData: ckvm_attach_stub {
        ckvm_attach_stub(
            after: vmm.rip, rflags: vmm.eflags, rdi: vmm.rdi, rsi: vmm.rsi, rdx: vmm.rdx,
            r10: vmm.r10, r8: vmm.r8, r9: vmm.r9, rbx: vmm.rbx, rbp: vmm.rbp, r12: vmm.r12,
            r13: vmm.r13, r14: vmm.r14, r15: vmm.r15, kvm_run: vcpu.run,
            valid_regs: page.validRegisters, mask: mask, wanted: ~(mask | ignored),
            interrupting: 1, debugging: 0, completing: 0, owner: UInt32(vcpu.descriptor),
            scratch: scratch, pushed: 0, signal: 0, registers: page.rawRegisters)
    }

    /// Gives the VMM its `kvm_run` back as it had it: it need not have asked KVM for registers.
    private func restorePage() {
        page.validRegisters = data.valid_regs
        if data.valid_regs & 1 == 0 { page.rawRegisters = data.registers }
    }

    private func map(_ size: Int, _ protection: Int32) throws(TraceFailure) -> UInt64 {
        try Self.address(
            call(SystemCall.mmap, Self.mapping(size, protection)))
    }

    private static func mapping(_ size: Int, _ protection: Int32) -> [UInt64] {
        [0, UInt64(size), UInt64(protection), UInt64(MAP_PRIVATE | MAP_ANONYMOUS), .max, 0]
    }

    private static func address(_ result: Int64) throws(TraceFailure) -> UInt64 {
        guard result > 0 || result < -4095 else {
            throw .refused("the VMM cannot map memory for injected code: errno \(-result)")
        }
        return UInt64(bitPattern: result)
    }

    /// Takes the pages that a killed tracer left, unless the thread is still in them.
    private func adopt() -> Bool {
        guard let leftover, vmm.rip &- leftover.code >= UInt64(Self.codeSize) else { return false }
        (code, scratch) = (leftover.code, leftover.scratch)
        stops.insertCode(code)
        data.scratch = scratch
        return true
    }

    /// Maps a page for our code: the first system call, made from the cave.
    ///
    /// - Returns: false where a signal came between; the thread is outside.
    private func install() throws(TraceFailure) -> Bool {
        let protection = PROT_READ | PROT_EXEC
        guard
            let result = try performInCave(SystemCall.mmap, Self.mapping(Self.codeSize, protection))
        else { return false }
        code = try Self.address(result)
        stops.insertCode(code)
        try memory.write(InjectedCode.stub, to: code)
        return true
    }

    /// Makes a system call from the cave.
    ///
    /// - Returns: `nil` where a signal came between; the thread is outside.
    func performInCave(
        _ number: Int, _ arguments: [UInt64]
    ) throws(TraceFailure) -> Int64? {
        let back = ckvm_attach_cave(
            again: again.rip, rax: again.rax, rdi: vmm.rdi, rsi: vmm.rsi, rdx: vmm.rdx,
            r10: vmm.r10,
            r8: vmm.r8, r9: vmm.r9)
        try memory.write(InjectedCode.cave(back), to: cave)
        switch try perform(at: cave, number, arguments) {
        case .result(let value):
            try setUser(again)
            try clear()
            return value
        case .signal(let signal):
            try setUser(vmm.isRestarted ? again : returned(Int64(-EINTR)))
            try clear()
            try resume(signal)
            state = .outside
            return nil
        }
    }

    private func clear() throws(TraceFailure) {
        try memory.write([UInt8](repeating: 0, count: InjectedCode.caveSize), to: cave)
    }

    /// Lets KVM finish the access that the VMM answered, without running the guest.
    private func complete() throws(TraceFailure) -> Event? {
        data.completing = 1
        try writeData()
        page.immediateExit = true
        var value = try runInPassing()
        if value == Int64(-EINVAL), sharesRegisters {
            // KVM keeps the registers of an SEV-ES guest, and says so before it does anything else.
            sharesRegisters = false
            value = try runInPassing()
        }
        page.immediateExit = false
        data.completing = 0
        try writeData()
        registers = page.registers
        try finishStep(isDebug: false)
        if value == Int64(-EINTR) {
            state = .held
            return held(.entered)
        }
        return try pass(value)
    }

    var runArguments: [UInt64] { [UInt64(vcpu.descriptor), Self.runRequest, vmm.rdx] }

    /// Lets the VMM have what its `KVM_RUN` came to.
    func pass(_ value: Int64) throws(TraceFailure) -> Event? {
        try setMask(Self.allSignals)
        let kind = page.exit
        try deliver(value)
        return value == 0 ? .passed(kind) : nil
    }

    private func runInPassing() throws(TraceFailure) -> Int64 {
        page.validRegisters = wantedRegisters
        return try result(
            of: perform(
                at: code + UInt64(InjectedCode.layout.run), SystemCall.ioctl, runArguments))
    }

    /// The VMM's `kvm_valid_regs`, with the general registers where KVM shares them.
    var wantedRegisters: UInt64 { data.valid_regs | (sharesRegisters ? 1 : 0) }

    /// Gives the VMM the result of its `KVM_RUN`, with KVM as it left it.
    func deliver(_ value: Int64) throws(TraceFailure) {
        if debug != .off {
            try memory.write((vmmDebug ?? .off).bytes, to: scratch)
            let layout = InjectedCode.layout
            let place = value == 0 ? layout.last_call : layout.call
            _ = try perform(
                at: code + UInt64(place), SystemCall.ioctl,
                [UInt64(vcpu.descriptor), ckvm_request_set_guest_debug, scratch])
            debug = .off
        }
        restorePage()
        try setMask(mask)
        try setUser(returned(value))
        state = .outside
        try resume()
    }

    /// Takes out of the VMM what is ours for another vCPU that the held thread runs.
    func free(_ other: Tracee) throws(TraceFailure) {
        let pages = [(other.scratch, Self.scratchSize), (other.code, Self.codeSize)]
        for (page, size) in pages where page != 0 {
            _ = try call(SystemCall.munmap, [page, UInt64(size)])
        }
        stops.removeCode(other.code)
        (other.scratch, other.code) = (0, 0)
    }

    /// Takes all that is ours out of the VMM, and lets the held thread run on as if nothing had been.
    ///
    /// - Returns: false where a signal came between; the thread is outside, and still traced.
    func release(
        pending: UInt64
    ) throws(TraceFailure) -> Bool {
        try setDebug(.off)
        if !isDebugged { page.forgetDebugEvent() }
        restorePage()
        if scratch != 0 { _ = try call(SystemCall.munmap, [scratch, UInt64(Self.scratchSize)]) }
        scratch = 0
        try setUser(calling(code + UInt64(InjectedCode.layout.call), SystemCall.getpid, []))
        try setMask(mask)
        guard try performInCave(SystemCall.munmap, [code, UInt64(Self.codeSize)]) != nil else {
            return false
        }
        stops.removeCode(code)
        code = 0
        // A signal that waits would have ended the VMM's KVM_RUN.
        if pending & ~(mask | ignored) != 0 { try setUser(returned(Int64(-EINTR))) }
        try checked(ckvm_detach(thread, 0), "PTRACE_DETACH")
        return true
    }
}
