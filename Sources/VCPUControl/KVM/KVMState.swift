internal import CKVM

// The state of a vCPU in KVM's structs.

extension kvm_regs {
    /// The registers for one step: with TF, which kvm_amd loses wherever RFLAGS is written without.
    init(_ vcpu: borrowing EmulatedVCPU) {
        let gpr = vcpu.gpr
        self.init(
            rax: gpr[0], rbx: gpr[3], rcx: gpr[1], rdx: gpr[2], rsi: gpr[6], rdi: gpr[7],
            rsp: gpr[4], rbp: gpr[5], r8: gpr[8], r9: gpr[9], r10: gpr[10], r11: gpr[11],
            r12: gpr[12], r13: gpr[13], r14: gpr[14], r15: gpr[15], rip: vcpu.rip,
            rflags: vcpu.flags.value | FlagBits.trap)
    }
}

extension EmulatedVCPU {
    /// Takes the registers after a step: TF is KVM's, not the guest's.
    mutating func take(_ registers: kvm_regs) {
        gpr[0] = registers.rax
        gpr[1] = registers.rcx
        gpr[2] = registers.rdx
        gpr[3] = registers.rbx
        gpr[4] = registers.rsp
        gpr[5] = registers.rbp
        gpr[6] = registers.rsi
        gpr[7] = registers.rdi
        gpr[8] = registers.r8
        gpr[9] = registers.r9
        gpr[10] = registers.r10
        gpr[11] = registers.r11
        gpr[12] = registers.r12
        gpr[13] = registers.r13
        gpr[14] = registers.r14
        gpr[15] = registers.r15
        rip = registers.rip
        let visible = FlagBits.defined & ~FlagBits.trap
        flags.value = registers.rflags & visible | FlagBits.alwaysOne
    }
}

extension kvm_sregs {
    /// What KVM needs of the system registers to execute plain instructions.
    ///
    /// Bits that only other instructions look at are left out: not every KVM offers them.
    /// - Parameter initial: what is not in `SystemRegisters`.
    init(_ system: SystemRegisters, _ initial: kvm_sregs) {
        self = initial
        (cs, ds, es) = (.init(system.cs), .init(system.ds), .init(system.es))
        (fs, gs, ss) = (.init(system.fs), .init(system.gs), .init(system.ss))
        (tr, ldt) = (.init(system.tr), .init(system.ldtr))
        gdt = .init(system.gdtr)
        idt = .init(system.idtr)
        cr0 = system.cr0 & ~(CR0.emulation | CR0.taskSwitched)
        (cr2, cr3, cr8) = (system.cr2, system.cr3, system.cr8)
        cr4 = CR4.physicalAddressExtension | CR4.sse
        efer = system.efer & Efer.offered & ~Efer.secureVirtualMachine
    }
}

extension CR4 {
    /// OSFXSR and OSXMMEXCPT.
    fileprivate static let sse: UInt64 = 0x600
}

extension kvm_segment {
    fileprivate init(_ segment: Segment) {
        func bits(_ position: UInt16, _ mask: UInt16 = 1) -> UInt8 {
            UInt8(segment.attributes >> position & mask)
        }
        let isPresent = bits(7)
        self.init(
            base: segment.base, limit: segment.limit, selector: segment.selector,
            type: bits(0, 15), present: isPresent, dpl: bits(5, 3), db: bits(10), s: bits(4),
            l: bits(9), g: bits(11), avl: bits(8), unusable: 1 - isPresent, padding: 0)
    }
}

extension kvm_dtable {
    fileprivate init(_ table: DescriptorTable) {
        self.init(base: table.base, limit: table.limit, padding: (0, 0, 0))
    }
}

/// Unsafe: XMM registers are an array of C.
extension VectorState {
    /// Takes the SSE state; the model alone has that of the x87.
    mutating func take(_ registers: kvm_fpu) {
        unsafe withUnsafeBytes(of: registers.xmm) { bytes in
            for number in 0..<16 {
                self[UInt8(number)] = unsafe bytes.loadUnaligned(
                    fromByteOffset: number * 16, as: XMM.self)
            }
        }
        mxcsr = MXCSR(rawValue: registers.mxcsr & MXCSR.mask) ?? mxcsr
    }

    mutating func put(into registers: inout kvm_fpu) {
        for number in 0..<16 {
            let value = self[UInt8(number)]
            unsafe withUnsafeMutableBytes(of: &registers.xmm) {
                unsafe $0.storeBytes(of: value, toByteOffset: number * 16, as: XMM.self)
            }
        }
        registers.mxcsr = mxcsr.rawValue
    }
}
