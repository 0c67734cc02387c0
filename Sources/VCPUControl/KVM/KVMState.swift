internal import CKVM

// The state of a vCPU in KVM's structs.

extension EmulatedVCPU {
    /// The registers for a step; `mutating` so that the vCPU is read in place, not copied.
    mutating func registersForKVM() -> kvm_regs {
        kvm_regs(
            rax: gpr[0], rbx: gpr[3], rcx: gpr[1], rdx: gpr[2], rsi: gpr[6], rdi: gpr[7],
            rsp: gpr[4], rbp: gpr[5], r8: gpr[8], r9: gpr[9], r10: gpr[10], r11: gpr[11],
            r12: gpr[12], r13: gpr[13], r14: gpr[14], r15: gpr[15], rip: rip,
            rflags: flags.value)
    }

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
    /// Bits that only other instructions look at are left out: not every KVM offers them. `initial`
    /// has what is not in `SystemRegisters`.
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

/// Unsafe: the XSAVE area is an array of C; offsets are those of APM volume 2, 11.5.
extension VectorState {
    private enum Offset {
        static let mxcsr = 24
        static let xmm = 160
        /// XSTATE_BV, in which bits 0 and 1 stand for x87 and SSE.
        static let components = 512
    }

    /// Takes the SSE state; the model alone has that of the x87.
    ///
    /// `KVM_GET_FPU` would not do: it leaves MXCSR out.
    mutating func take(_ area: kvm_xsave) {
        unsafe withUnsafeBytes(of: area.region) { bytes in
            for number in 0..<16 {
                self[UInt8(number)] = unsafe bytes.loadUnaligned(
                    fromByteOffset: Offset.xmm + number * 16, as: XMM.self)
            }
            let control = unsafe bytes.load(fromByteOffset: Offset.mxcsr, as: UInt32.self)
            mxcsr = MXCSR(rawValue: control & MXCSR.mask) ?? mxcsr
        }
    }

    mutating func put(into area: inout kvm_xsave) {
        unsafe withUnsafeMutableBytes(of: &area.region) { bytes in
            for number in 0..<16 {
                unsafe bytes.storeBytes(
                    of: self[UInt8(number)], toByteOffset: Offset.xmm + number * 16, as: XMM.self)
            }
            unsafe bytes.storeBytes(of: mxcsr.rawValue, toByteOffset: Offset.mxcsr, as: UInt32.self)
            let components = unsafe bytes.load(fromByteOffset: Offset.components, as: UInt64.self)
            unsafe bytes.storeBytes(
                of: components | 3, toByteOffset: Offset.components, as: UInt64.self)
        }
    }
}
