internal import CKVM
internal import Glibc

/// One vCPU of a VMM: its thread is held by ptrace in code of ours, or watched on its way back there.
///
/// At each of its stops the thread could run on without us (CKVM/attach/stub.S): its registers are
/// never such that the death of the tracer would leave it anywhere but in its VMM.
///
/// Unsafe: hands the addresses of structs of C to system calls for the time of one call.
final class Tracee {
    enum State: Equatable {
        /// In the VMM's own code, on the way to its next `KVM_RUN`.
        case outside
        /// Stopped in our code; KVM can be asked.
        case held
        /// On the way into our `KVM_RUN`, and in it.
        case starting, running
        /// In a loop of our `KVM_RUN`s, each a step.
        case stepping
        /// Our `KVM_RUN` was interrupted: by whom is not known yet.
        case settling
    }

    /// What became of a stop.
    enum Event: Equatable {
        /// `KVM_EXIT_DEBUG`: the thread is held.
        case debug
        /// The exit is the VMM's, and the thread is outside.
        case passed(PassedExit.Kind)
        /// The thread is held again, with everything completed that the VMM answered.
        case entered
        /// The tracer's interrupt: the thread is held.
        case interrupted
        /// The trap's signal came since the thread was held the last time; it is held again.
        case trapped
    }

    /// The one that ran the vCPU last, as far as was seen; 0: none.
    var thread: Int32 = 0
    let vcpu: ForeignVCPU
    let page: ForeignRunPage
    let memory: ProcessMemory
    let stops: ThreadStops
    /// Where a first system call can be put.
    let cave: UInt64
    /// Signals that do not end a `KVM_RUN`, for they do nothing.
    let ignored: UInt64

    var state = State.outside
    /// The registers of the VMM at its `KVM_RUN`, and what the thread blocks there.
    var vmm = user_regs_struct()
    var mask: UInt64 = 0
    var data = ckvm_attach_stub()
    /// Our code in the VMM, and beside it memory for arguments; 0: not there.
    var code: UInt64 = 0
    var scratch: UInt64 = 0
    /// Pages of an earlier tracer that was killed, for this vCPU.
    let leftover: Leftover?
    /// What KVM was told, beside what the VMM wants; and whether something since may have changed what
    /// KVM makes of it.
    var debug = GuestDebug.off
    var isDebugStale = false
    /// What the VMM told it; `nil` where nobody has seen that.
    var vmmDebug: VMMDebug?
    /// Whether the VMM had an exit of a debugger of its own before the thread was first held.
    var isDebugged = false
    var wasInterrupted = false
    /// The signal that asks for a stop, and is not the VMM's; 0: none.
    var trap: Int32 = 0
    var wasTrapped = false
    /// Whether KVM writes the registers to `kvm_run`; of an SEV-ES guest it does not.
    var sharesRegisters = true
    /// Whether this KVM can keep interrupts back while it steps, as far as is known.
    var canBlockInterrupts = true

    /// The vCPU when it last came out of the guest, once that was seen.
    var registers = RegisterFile()
    var isKnown = false
    /// Whether it has been waited for in vain since its thread was last held.
    var isAway = false
    var steps: UInt64 = 0
    /// The steps that the debugger knows of.
    var reported: UInt64 = 0

    /// Where guest memory lies in the VMM, and the code that was seen in it.
    var slots: [GuestExtent] = []
    var guest = GuestCode()
    /// RIP at the start of a step that is not over, and what there is to know of that instruction.
    var origin: UInt64?
    var hazard: StepHazard?
    /// Whether a step was made that nobody has asked about.
    var hasStepped = false
    /// How many steps the loop is to make, and when the thread was set going.
    var batch: UInt64 = 0
    var started = ContinuousClock.now
    /// Whether KVM has ended a step yet, and whether the processor's own trap ever did.
    var knowsTraps = false
    var traps = false

    init(_ vcpu: ForeignVCPU, page: ForeignRunPage, target: Tracer.Target) {
        (self.vcpu, self.page) = (vcpu, page)
        (memory, stops) = (target.memory, target.stops)
        (cave, ignored) = (target.cave, target.ignored)
        leftover = target.leftovers.first { $0.owner == vcpu.descriptor }
    }

    /// What the thread blocks in our `KVM_RUN`: the VMM's signals without the trap.
    var runMask: UInt64 { trap == 0 ? mask : mask & ~(1 << UInt64(trap - 1)) }

    /// The event of being held, or what else there is to say of it.
    func held(_ event: Event) -> Event {
        defer { (wasInterrupted, wasTrapped) = (false, false) }
        return wasTrapped ? .trapped : event
    }

    /// What is not for the tracer alone is for a debugger of the VMM's.
    var isOurDebugExit: Bool {
        guard page.isDebugExit, debug != .off else { return false }
        return !debug.leaves(page.debugEvent, to: vmmDebug ?? .off)
    }

    static let runRequest: UInt64 = 0xae80
    static let allSignals = UInt64.max

    /// Whether registers at the entry of a system call say `ioctl(vcpu, KVM_RUN)`.
    static func vcpu(of registers: user_regs_struct) -> Int32? {
        guard registers.orig_rax == UInt64(SystemCall.ioctl),
            registers.rsi & 0xffff_ffff == runRequest
        else { return nil }
        return Int32(truncatingIfNeeded: registers.rdi)
    }
}

// ptrace.
extension Tracee {
    func checked(_ result: Int32, _ what: String) throws(TraceFailure) {
        if result == -ESRCH { throw .ended(status: nil) }
        guard result >= 0 else {
            throw .refused("\(what) of thread \(thread) fails with errno \(-result)")
        }
    }

    func resume(_ signal: Int32 = 0) throws(TraceFailure) {
        try checked(ckvm_resume(thread, signal), "PTRACE_SYSCALL")
    }

    func user(at stop: ThreadStop) throws(TraceFailure) -> user_regs_struct {
        guard let registers = stop.user else { throw .ended(status: nil) }
        return registers
    }

    func setUser(_ registers: user_regs_struct) throws(TraceFailure) {
        var registers = registers
        // Nothing of the system call in which the thread may stand is restarted.
        registers.orig_rax = UInt64.max
        try checked(unsafe ckvm_set_user(thread, &registers), "PTRACE_SETREGSET")
    }

    func isIgnored(_ signal: Int32) -> Bool { ignored >> UInt64(max(signal - 1, 0)) & 1 != 0 }

    func setMask(_ mask: UInt64) throws(TraceFailure) {
        try checked(ckvm_set_mask(thread, mask), "PTRACE_SETSIGMASK")
    }

    /// The VMM's registers with its `KVM_RUN` done and this result, as SYSCALL leaves them.
    func returned(_ result: Int64) -> user_regs_struct {
        var registers = vmm
        registers.rax = UInt64(bitPattern: result)
        (registers.rcx, registers.r11) = (vmm.rip, vmm.eflags)
        return registers
    }

    /// The VMM's registers in front of its system call, which but for a visit is its `KVM_RUN`.
    var again: user_regs_struct {
        var registers = vmm
        registers.again()
        return registers
    }

    /// Registers in front of a system call somewhere.
    func calling(_ address: UInt64, _ number: Int, _ arguments: [UInt64]) -> user_regs_struct {
        var registers = vmm
        let all = arguments + [UInt64](repeating: 0, count: max(0, 6 - arguments.count))
        (registers.rip, registers.rax) = (address, UInt64(bitPattern: Int64(number)))
        (registers.rdi, registers.rsi, registers.rdx) = (all[0], all[1], all[2])
        (registers.r10, registers.r8, registers.r9) = (all[3], all[4], all[5])
        return registers
    }
}
