internal import CKVM

// The state of a vCPU: one function for each ioctl.
extension VCPUFD {
    /// The general-purpose registers, RIP and RFLAGS; `KVM_GET_REGS`.
    func registers() throws(KVMError) -> kvm_regs {
        try unsafe descriptor.exchange(ckvm_get_regs, kvm_regs())
    }

    /// `KVM_SET_REGS`.
    func setRegisters(_ value: kvm_regs) throws(KVMError) {
        try unsafe descriptor.exchange(ckvm_set_regs, value)
    }

    /// Segments, control registers and EFER; `KVM_GET_SREGS`.
    func systemRegisters() throws(KVMError) -> kvm_sregs {
        try unsafe descriptor.exchange(ckvm_get_sregs, kvm_sregs())
    }

    /// `KVM_SET_SREGS`.
    func setSystemRegisters(_ value: kvm_sregs) throws(KVMError) {
        try unsafe descriptor.exchange(ckvm_set_sregs, value)
    }

    /// Segments, control registers, EFER and the page-directory pointers; `KVM_GET_SREGS2`.
    func systemRegisters2() throws(KVMError) -> kvm_sregs2 {
        try unsafe descriptor.exchange(ckvm_get_sregs2, kvm_sregs2())
    }

    /// `KVM_SET_SREGS2`.
    func setSystemRegisters2(_ value: kvm_sregs2) throws(KVMError) {
        try unsafe descriptor.exchange(ckvm_set_sregs2, value)
    }

    /// x87 and SSE registers; `KVM_GET_FPU`.
    func floatRegisters() throws(KVMError) -> kvm_fpu {
        try unsafe descriptor.exchange(ckvm_get_fpu, kvm_fpu())
    }

    /// `KVM_SET_FPU`.
    func setFloatRegisters(_ value: kvm_fpu) throws(KVMError) {
        try unsafe descriptor.exchange(ckvm_set_fpu, value)
    }

    /// The XSAVE area: x87, SSE, AVX; `KVM_GET_XSAVE`.
    func extendedState() throws(KVMError) -> kvm_xsave {
        try unsafe descriptor.exchange(ckvm_get_xsave, kvm_xsave())
    }

    /// `KVM_SET_XSAVE`.
    func setExtendedState(_ value: kvm_xsave) throws(KVMError) {
        try unsafe descriptor.exchange(ckvm_set_xsave, value)
    }

    /// XCR0; `KVM_GET_XCRS`.
    func extendedControl() throws(KVMError) -> kvm_xcrs {
        try unsafe descriptor.exchange(ckvm_get_xcrs, kvm_xcrs())
    }

    /// `KVM_SET_XCRS`.
    func setExtendedControl(_ value: kvm_xcrs) throws(KVMError) {
        try unsafe descriptor.exchange(ckvm_set_xcrs, value)
    }

    /// DR0 to DR3, DR6 and DR7; `KVM_GET_DEBUGREGS`.
    func debugRegisters() throws(KVMError) -> kvm_debugregs {
        try unsafe descriptor.exchange(ckvm_get_debugregs, kvm_debugregs())
    }

    /// `KVM_SET_DEBUGREGS`.
    func setDebugRegisters(_ value: kvm_debugregs) throws(KVMError) {
        try unsafe descriptor.exchange(ckvm_set_debugregs, value)
    }

    /// Exceptions and interrupts on their way; `KVM_GET_VCPU_EVENTS`.
    func events() throws(KVMError) -> kvm_vcpu_events {
        try unsafe descriptor.exchange(ckvm_get_vcpu_events, kvm_vcpu_events())
    }

    /// `KVM_SET_VCPU_EVENTS`.
    func setEvents(_ value: kvm_vcpu_events) throws(KVMError) {
        try unsafe descriptor.exchange(ckvm_set_vcpu_events, value)
    }

    /// Whether the vCPU runs, halts or waits for a SIPI; `KVM_GET_MP_STATE`.
    func runState() throws(KVMError) -> kvm_mp_state {
        try unsafe descriptor.exchange(ckvm_get_mp_state, kvm_mp_state())
    }

    /// `KVM_SET_MP_STATE`.
    func setRunState(_ value: kvm_mp_state) throws(KVMError) {
        try unsafe descriptor.exchange(ckvm_set_mp_state, value)
    }

    /// The values of MSRs; `KVM_GET_MSRS`.
    ///
    /// - Returns: as many as KVM got to: it stops at the first that it refuses.
    func modelSpecificRegisters(_ numbers: [UInt32]) throws(KVMError) -> [UInt64] {
        let entries = numbers.map { kvm_msr_entry(index: $0, reserved: 0, data: 0) }
        let (known, values) = try unsafe descriptor.exchange(
            ckvm_get_msrs, entries, header: { kvm_msrs(count: $0) },
            count: { $0.nmsrs })
        return values.prefix(Int(max(known, 0))).map(\.data)
    }

    /// Sets MSRs; `KVM_SET_MSRS`.
    ///
    /// - Returns: how many were set: KVM stops at the first that it refuses.
    @discardableResult
    func setModelSpecificRegisters(_ values: [(number: UInt32, value: UInt64)])
        throws(KVMError) -> Int
    {
        let entries = values.map { kvm_msr_entry(index: $0.number, reserved: 0, data: $0.value) }
        return Int(
            try unsafe descriptor.exchange(
                ckvm_set_msrs, entries, header: { kvm_msrs(count: $0) },
                count: { $0.nmsrs }
            ).result)
    }

    /// What CPUID shows the guest; `KVM_SET_CPUID2`.
    func setCPUID(_ entries: [kvm_cpuid_entry2]) throws(KVMError) {
        _ = try unsafe descriptor.exchange(
            ckvm_set_cpuid2, entries, header: { kvm_cpuid2(count: $0) },
            count: { $0.nent })
    }

    /// Single steps and breakpoints: `KVM_GUESTDBG_ENABLE` and so on; `KVM_SET_GUEST_DEBUG`.
    ///
    /// The breakpoints are at most four addresses for DR0 to DR3, where the flags ask for them.
    func setGuestDebug(_ flags: UInt32, breakpoints: [UInt64] = []) throws(KVMError) {
        var debug = kvm_guest_debug()
        debug.control = flags
        unsafe withUnsafeMutableBytes(of: &debug.arch.debugreg) { registers in
            for (index, address) in breakpoints.prefix(4).enumerated() {
                unsafe registers.storeBytes(of: address, toByteOffset: index * 8, as: UInt64.self)
            }
            // Global enable of each, for execution, and the bit that is always one (DR7).
            let enabled = breakpoints.prefix(4).indices.reduce(UInt64(0x400)) { $0 | 2 << ($1 * 2) }
            unsafe registers.storeBytes(of: enabled, toByteOffset: 56, as: UInt64.self)
        }
        try unsafe descriptor.exchange(ckvm_set_guest_debug, debug)
    }

    /// What KVM makes of a linear address; `KVM_TRANSLATE`.
    func translate(_ address: UInt64) throws(KVMError) -> kvm_translation {
        var translation = kvm_translation()
        translation.linear_address = address
        return try unsafe descriptor.exchange(ckvm_translate, translation)
    }
}

extension kvm_msrs {
    /// The head of so many entries.
    init(count: UInt32) {
        self.init()
        nmsrs = count
    }
}
