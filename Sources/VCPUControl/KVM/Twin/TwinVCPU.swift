internal import CKVM
internal import SystemPackage

/// A vCPU of the twin: the state that it was given, and what its last exit left open.
final class TwinVCPU {
    /// What the last exit waits for.
    enum Open {
        case nothing, halt, hold
        /// So many bytes, in the mapping.
        case port(count: Int)
        case memory(count: Int)
    }

    /// The structs that were set, by the ioctl that sets them.
    var structs: [TwinCall: [UInt8]] = [:]
    var msrs: [UInt32: UInt64] = [:]
    var isDebugged = false
    /// Whether LAUNCH_UPDATE_VMSA found it.
    var isEncrypted = false
    var page: TwinRunPage?
    var open = Open.nothing

    /// The state that goes into the VMSA.
    var launch: LaunchPlan.VCPU {
        let registers: kvm_regs = read(.setRegisters, kvm_regs())
        let system: kvm_sregs = read(.setSystemRegisters, kvm_sregs())
        let control: kvm_xcrs = read(.setExtendedControl, kvm_xcrs())
        return LaunchPlan.VCPU(
            registers: RegisterFile(registers), system: SystemRegisters(system, control),
            ghcbMSR: nil, returnedAt: .init(0))
    }

    /// Unsafe: bytes become the struct that they were.
    private func read<Value>(_ call: TwinCall, _ initial: Value) -> Value {
        guard let bytes = structs[call], bytes.count == MemoryLayout<Value>.size else {
            return initial
        }
        return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: Value.self) }
    }
}

// What KVM takes of a vCPU, before and after its state is encrypted (REFERENCE 5c).
extension TwinVM {
    func vcpuCall(
        _ number: Int, _ call: TwinCall, _ argument: TwinArgument
    ) throws(Errno) -> Int32 {
        let vcpu = vcpus[number]
        // With KVM_SEV_ES_INIT the same calls are let in, and show what KVM has of the vCPU.
        let isHidden = isProtected && isTyped
        if let setter = call.setter {
            guard !isHidden || call.isForProtected else { throw .invalidArgument }
            try argument.fill(vcpu.structs[setter] ?? [])
            return 0
        }
        switch call {
        case .run: return try run(number)
        case .injectNMI: return try injectNMI(number)
        case .getMSRs: return isHidden ? 0 : try getMSRs(vcpu, argument)
        case .setMSRs: return isHidden ? 0 : try setMSRs(vcpu, argument)
        case .setCPUID, .translate: return 0
        case .setGuestDebug:
            guard !isProtected else { throw .invalidArgument }
            let debug = try argument.pointee(kvm_guest_debug.self)
            vcpu.isDebugged = debug.control & UInt32(KVM_GUESTDBG_ENABLE) != 0
            return 0
        default:
            guard TwinCall.allCases.contains(where: { $0.setter == call }) else {
                throw .inappropriateIOCTLForDevice
            }
            guard !isHidden || call.isForProtected else { throw .invalidArgument }
            vcpu.structs[call] = try argument.bytes
            return 0
        }
    }

    private func getMSRs(_ vcpu: TwinVCPU, _ argument: TwinArgument) throws(Errno) -> Int32 {
        let head = MemoryLayout<kvm_msrs>.size
        var entries = try argument.entries(kvm_msr_entry.self, behind: head)
        for index in entries.indices { entries[index].data = vcpu.msrs[entries[index].index] ?? 0 }
        try argument.store(entries, behind: head)
        return Int32(entries.count)
    }

    private func setMSRs(_ vcpu: TwinVCPU, _ argument: TwinArgument) throws(Errno) -> Int32 {
        let entries = try argument.entries(kvm_msr_entry.self, behind: MemoryLayout<kvm_msrs>.size)
        // No ioctl reaches the GHCB MSR (REFERENCE 2).
        let taken = entries.prefix { $0.index != GHCBMSR.index }
        for entry in taken { vcpu.msrs[entry.index] = entry.data }
        return Int32(taken.count)
    }

    private func injectNMI(_ number: Int) throws(Errno) -> Int32 {
        let machine = try machine()
        do throws(MachineError) {
            try machine.injectNMI(number)
        } catch { throw .invalidArgument }
        if case .halt = vcpus[number].open { vcpus[number].open = .nothing }
        return 0
    }
}

extension RegisterFile {
    fileprivate init(_ registers: kvm_regs) {
        self.init()
        self[.rax] = registers.rax
        self[.rbx] = registers.rbx
        self[.rcx] = registers.rcx
        self[.rdx] = registers.rdx
        self[.rsi] = registers.rsi
        self[.rdi] = registers.rdi
        self[.rsp] = registers.rsp
        self[.rbp] = registers.rbp
        self[.r8] = registers.r8
        self[.r9] = registers.r9
        self[.r10] = registers.r10
        self[.r11] = registers.r11
        self[.r12] = registers.r12
        self[.r13] = registers.r13
        self[.r14] = registers.r14
        self[.r15] = registers.r15
        self[.rip] = registers.rip
        self[.rflags] = registers.rflags
    }
}

extension SystemRegisters {
    fileprivate init(_ system: kvm_sregs, _ control: kvm_xcrs) {
        self.init()
        (es, cs, ss) = (Segment(system.es), Segment(system.cs), Segment(system.ss))
        (ds, fs, gs) = (Segment(system.ds), Segment(system.fs), Segment(system.gs))
        (ldtr, tr) = (Segment(system.ldt), Segment(system.tr))
        gdtr = DescriptorTable(base: system.gdt.base, limit: system.gdt.limit)
        idtr = DescriptorTable(base: system.idt.base, limit: system.idt.limit)
        (cr0, cr2, cr3, cr4) = (system.cr0, system.cr2, system.cr3, system.cr4)
        (cr8, efer) = (system.cr8, system.efer)
        if control.nr_xcrs > 0 { xcr0 = control.xcrs.0.value }
    }
}

extension Segment {
    fileprivate init(_ segment: kvm_segment) {
        let low = UInt16(segment.type) | UInt16(segment.s) << 4 | UInt16(segment.dpl) << 5
        let high =
            UInt16(segment.present) << 7 | UInt16(segment.avl) << 8 | UInt16(segment.l) << 9
            | UInt16(segment.db) << 10 | UInt16(segment.g) << 11
        self.init(
            selector: segment.selector, attributes: low | high, limit: segment.limit,
            base: segment.base)
    }
}
