internal import CKVM

/// The `struct kvm_run` of a vCPU of another process, mapped here as well: what one writes, the other sees.
///
/// Unsafe: the mapping is this object's own until its end, and every access is inside it.
@safe final class ForeignRunPage {
    private let run: UnsafeMutablePointer<kvm_run>
    private let size: Int

    /// Maps the descriptor of a vCPU; `nil` where the kernel refuses, or `size` is too small.
    ///
    /// - Parameters:
    ///   - descriptor: a duplicate, which the caller closes.
    ///   - size: of the mapping.
    ///   - isWritable: false for who only looks: nothing may be set then.
    init?(_ descriptor: Int32, size: Int, isWritable: Bool = true) {
        guard size >= MemoryLayout<kvm_run>.size,
            let run = unsafe ckvm_map_run(descriptor, size, isWritable)
        else { return nil }
        unsafe self.run = run
        self.size = size
    }

    deinit { unsafe ckvm_unmap_run(run, size) }

    /// `KVM_EXIT_…`, as it is now.
    var exitReason: UInt32 { unsafe run.pointee.exit_reason }

    var isDebugExit: Bool { exitReason == UInt32(KVM_EXIT_DEBUG) }

    /// KVM writes DR7 to its exit where the processor's own trap ended a step, not where it has
    /// emulated the instruction: to be marked before, to be asked behind.
    func expectTrap() { unsafe run.pointee.debug.arch.dr7 = .max }
    var hasTrapped: Bool { unsafe run.pointee.debug.arch.dr7 != .max }
    /// What the exit is about.
    var debugEvent: DebugEvent {
        let debug = unsafe run.pointee.debug.arch
        return DebugEvent(exception: debug.exception, dr6: debug.dr6)
    }

    /// Exits after `KVM_EXIT_DEBUG` need not overwrite what it says.
    func forgetDebugEvent() { unsafe run.pointee.debug.arch.dr6 = 0 }

    /// KVM writes the general registers to the page when the vCPU comes out of the guest, for bit 0.
    var validRegisters: UInt64 {
        get { unsafe run.pointee.kvm_valid_regs }
        set { unsafe run.pointee.kvm_valid_regs = newValue }
    }

    /// A byte that neither KVM nor VMMs use: the last of `padding1`.
    var unused: UInt8 {
        get { unsafe run.pointee.padding1.5 }
        set { unsafe run.pointee.padding1.5 = newValue }
    }
    static let unusedOffset: UInt64 = 7

    /// KVM_RUN completes what the last exit left open, and comes back with EINTR.
    var immediateExit: Bool {
        get { unsafe run.pointee.immediate_exit != 0 }
        set { unsafe run.pointee.immediate_exit = newValue ? 1 : 0 }
    }

    /// The registers that `validRegisters` asked for.
    var registers: RegisterFile { RegisterFile(kvm: rawRegisters) }

    /// The same as they stand in the page, asked for or not.
    var rawRegisters: kvm_regs {
        get { unsafe ckvm_run_registers(run) }
        set {
            var registers = newValue
            unsafe ckvm_set_run_registers(run, &registers)
        }
    }

    /// What the last exit says; a port's data lies behind the struct, and is copied from there.
    var exit: PassedExit.Kind {
        let exit = unsafe ckvm_run_exit(run)
        switch exit.reason {
        case UInt32(KVM_EXIT_IO): return .port(portAccess(exit))
        case UInt32(KVM_EXIT_MMIO):
            let length = min(Int(exit.length), 8)
            let data = unsafe withUnsafeBytes(of: exit.data) { unsafe Array($0.prefix(length)) }
            return .memory(
                MMIOAccess(
                    address: GuestPhysicalAddress(exit.address), length: length,
                    data: exit.is_write != 0 ? data : [], isRead: exit.is_write == 0))
        case UInt32(KVM_EXIT_X86_RDMSR): return .readMSR(exit.msr)
        case UInt32(KVM_EXIT_X86_WRMSR): return .writeMSR(exit.msr, exit.value)
        default: return .other(exit.reason)
        }
    }

    private func portAccess(_ exit: ckvm_exit) -> PortAccess {
        let (unit, count) = (Int(exit.size), Int(min(exit.count, 4096)))
        let length = exit.is_write != 0 ? min(unit * count, 4096) : 0
        let data = (0..<UInt64(length)).map { index in
            unsafe ckvm_run_byte(run, size, exit.data_offset &+ index)
        }
        return PortAccess(
            port: exit.port, size: unit, count: count, data: data, isInput: exit.is_write == 0)
    }
}

extension RegisterFile {
    /// `struct kvm_regs`.
    init(kvm registers: kvm_regs) {
        let general = SIMD16<UInt64>(
            registers.rax, registers.rcx, registers.rdx, registers.rbx, registers.rsp,
            registers.rbp, registers.rsi, registers.rdi, registers.r8, registers.r9,
            registers.r10, registers.r11, registers.r12, registers.r13, registers.r14,
            registers.r15)
        self.init(general: general, rip: registers.rip, rflags: registers.rflags)
    }
}

extension kvm_regs {
    init(file: RegisterFile) {
        self.init(
            rax: file[.rax], rbx: file[.rbx], rcx: file[.rcx], rdx: file[.rdx], rsi: file[.rsi],
            rdi: file[.rdi], rsp: file[.rsp], rbp: file[.rbp], r8: file[.r8], r9: file[.r9],
            r10: file[.r10], r11: file[.r11], r12: file[.r12], r13: file[.r13], r14: file[.r14],
            r15: file[.r15], rip: file[.rip], rflags: file[.rflags])
    }
}
