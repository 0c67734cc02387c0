internal import CKVM
internal import SystemPackage

/// One VM of KVM: its memory, and the way to its vCPUs.
struct VMFD: ~Copyable {
    private let descriptor: KVMDescriptor
    /// Bytes of the mapping of a vCPU, `kvm_run` first.
    private let runPageSize: Int

    init(_ descriptor: consuming KVMDescriptor, runPageSize: Int) {
        self.descriptor = descriptor
        self.runPageSize = runPageSize
    }

    /// What an extension says of itself for this VM; `KVM_CHECK_EXTENSION`.
    func extensionValue(_ number: Int32) throws(KVMError) -> Int {
        Int(unsafe try descriptor.perform(ckvm_check_extension(UInt(number))))
    }

    /// Puts memory of this process at a guest physical address; `KVM_SET_USER_MEMORY_REGION`.
    ///
    /// The memory has to stay until the VM is closed, or the slot is set again with no size.
    func setMemory(
        slot: UInt32, at address: UInt64, size: UInt64, host: UnsafeMutableRawPointer
    ) throws(KVMError) {
        let region = kvm_userspace_memory_region(
            slot: slot, flags: 0, guest_phys_addr: address, memory_size: size,
            userspace_addr: UInt64(UInt(bitPattern: host)))
        try unsafe descriptor.exchange(ckvm_set_user_memory_region, region)
    }

    /// Adds a vCPU; `KVM_CREATE_VCPU`.
    func makeVCPU(_ number: Int) throws(KVMError) -> VCPUFD {
        let file = unsafe try descriptor.perform(ckvm_create_vcpu(UInt(number)))
        return try VCPUFD(
            KVMDescriptor(number: file, subject: "vCPU \(number)", syscalls: descriptor.syscalls),
            runPageSize: runPageSize)
    }

    /// Turns an extension on, with its first argument; `KVM_ENABLE_CAP`.
    func enable(_ extensionNumber: Int32, _ argument: UInt64) throws(KVMError) {
        var capability = kvm_enable_cap()
        capability.cap = UInt32(extensionNumber)
        capability.args.0 = argument
        try unsafe descriptor.exchange(ckvm_enable_cap, capability)
    }

    /// Denies the guest every MSR; `KVM_X86_SET_MSR_FILTER`.
    ///
    /// Each access then exits, where `KVM_CAP_X86_USER_SPACE_MSR` is enabled.
    func denyAllMSRs() throws(KVMError) {
        var nothing: UInt8 = 0
        try unsafe withUnsafeMutablePointer(to: &nothing) { pointer throws(KVMError) in
            var filter = kvm_msr_filter()
            filter.flags = UInt32(KVM_MSR_FILTER_DEFAULT_DENY)
            // KVM takes a filter without any range for none at all.
            unsafe filter.ranges.0 = kvm_msr_filter_range(
                flags: UInt32(KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE), nmsrs: 1, base: 0,
                bitmap: pointer)
            try unsafe descriptor.exchange(ckvm_x86_set_msr_filter, filter)
        }
    }

    /// Carries out a command of SEV with its struct, which comes back as KVM leaves it;
    /// `KVM_MEMORY_ENCRYPT_OP`.
    ///
    /// The firmware is named by the descriptor of /dev/sev.
    @discardableResult
    func encrypt<Value>(
        _ command: SEVCommand, _ value: Value, firmware: Int32
    ) throws(KVMError) -> Value {
        var value = value
        try unsafe withUnsafeMutablePointer(to: &value) { pointer throws(KVMError) in
            unsafe try encrypt(command, data: pointer, firmware: firmware)
        }
        return value
    }

    /// Carries out a command of SEV, with the address of its struct, or `nil` for one without.
    ///
    /// - Throws: `.refused`, with what the firmware says.
    func encrypt(
        _ command: SEVCommand, data: UnsafeMutableRawPointer?, firmware: Int32
    ) throws(KVMError) {
        var argument = kvm_sev_cmd()
        argument.id = command.rawValue
        argument.data = UInt64(UInt(bitPattern: data))
        argument.sev_fd = UInt32(bitPattern: firmware)
        let failure: Errno? = unsafe withUnsafeMutablePointer(to: &argument) { pointer in
            do throws(Errno) {
                _ = unsafe try descriptor.syscalls.ioctl(
                    descriptor.number, ckvm_memory_encrypt_op(pointer))
                return nil
            } catch { return error }
        }
        guard let failure else { return }
        throw .refused(command, failure, SEVFirmwareError(rawValue: argument.error))
    }

    /// Pins memory that will be encrypted; `KVM_MEMORY_ENCRYPT_REG_REGION`.
    func pin(_ host: UnsafeMutableRawPointer, size: UInt64) throws(KVMError) {
        let region = kvm_enc_region(addr: UInt64(UInt(bitPattern: host)), size: size)
        try unsafe descriptor.exchange(ckvm_memory_encrypt_reg_region, region)
    }

    /// Ends what `pin` began; `KVM_MEMORY_ENCRYPT_UNREG_REGION`.
    func unpin(_ host: UnsafeMutableRawPointer, size: UInt64) throws(KVMError) {
        let region = kvm_enc_region(addr: UInt64(UInt(bitPattern: host)), size: size)
        try unsafe descriptor.exchange(ckvm_memory_encrypt_unreg_region, region)
    }
}
