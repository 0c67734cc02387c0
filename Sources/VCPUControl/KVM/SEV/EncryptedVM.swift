internal import CKVM
internal import SystemPackage

/// An SEV-ES VM with its descriptors, its memory and its vCPUs, launched or on the way there.
///
/// Whatever fails on the way: memory is unregistered and unmapped, and descriptors are closed, when
/// the last reference goes.
///
/// Unsafe: gives KVM the address of the guest's memory, which lives as long as the descriptors.
@safe final class EncryptedVM {
    private let system: SystemFD
    private let firmware: SEVDevice
    private let vm: VMFD
    let memory: PlainMemory
    private(set) var vcpus: [EncryptedVCPU] = []
    private(set) var facts: EncryptedLaunch
    private var isPinned = false

    /// Opens the devices, makes the VM, and gives it memory; steps 1 to 5 of REFERENCE 5b.
    init(_ plan: LaunchPlan, _ syscalls: any KVMSyscalls) throws(KVMError) {
        let system = try SystemFD(syscalls)
        let firmware = try SEVDevice(syscalls)
        let host = try EncryptedHost(system)
        let vm = try system.makeVM(type: host.vmType)
        var facts = EncryptedLaunch(host, plan)
        if host.hasTypedVMs {
            var request = ckvm_sev_init()
            request.vmsa_features = facts.features.rawValue
            request.ghcb_version = UInt16(clamping: facts.ghcbVersion)
            try vm.encrypt(.initialize, request, firmware: firmware.number)
        } else {
            unsafe try vm.encrypt(.legacyInit, data: nil, firmware: firmware.number)
            facts.ghcbVersion = 1
        }
        let memory = try PlainMemory(count: Int(clamping: plan.ramSize), syscalls)
        unsafe try vm.setMemory(slot: 0, at: 0, size: plan.ramSize, host: memory.start)
        self.system = system
        self.firmware = firmware
        self.vm = vm
        self.memory = memory
        self.facts = facts
    }

    deinit {
        guard isPinned else { return }
        try? unsafe vm.unpin(memory.start, size: UInt64(memory.count))
    }
}

// The launch, in the order of REFERENCE 5b.
extension EncryptedVM {
    /// Makes the vCPUs, fills memory, and has the firmware encrypt and measure it; steps 6 to 13.
    func launch(_ plan: LaunchPlan) throws(KVMError) {
        try makeVCPUs(plan)
        for region in plan.regions where !memory.write(region.bytes, to: region.address.rawValue) {
            throw .lacks("the guest has no RAM at \(region.address.rawValue.hex)")
        }
        try start()
        unsafe try vm.pin(memory.start, size: UInt64(memory.count))
        isPinned = true
        for range in plan.privateRanges { try encrypt(range) }
        try command(.launchUpdateVMSA)
        facts.measurement = try measure()
        try command(.launchFinish)
    }

    private func command(_ command: SEVCommand) throws(KVMError) {
        unsafe try vm.encrypt(command, data: nil, firmware: firmware.number)
    }

    private func makeVCPUs(_ plan: LaunchPlan) throws(KVMError) {
        let cpuid = try system.supportedCPUID()
        for (number, start) in plan.vcpus.enumerated() {
            let file = try vm.makeVCPU(number)
            try file.setCPUID(cpuid.map { $0.of(vcpu: number) })
            try file.setSystemRegisters(kvm_sregs(launch: start.system, try file.systemRegisters()))
            try file.setRegisters(kvm_regs(start.registers))
            try file.setExtendedControl(kvm_xcrs(xcr0: start.system.xcr0))
            guard try file.setModelSpecificRegisters([EncryptedLaunch.pageAttributes]) == 1 else {
                throw .lacks("this KVM does not let the PAT of a vCPU be set")
            }
            vcpus.append(EncryptedVCPU(file))
        }
    }

    /// Gets a key for the guest.
    private func start() throws(KVMError) {
        var request = kvm_sev_launch_start()
        request.policy = facts.policy.rawValue
        try vm.encrypt(.launchStart, request, firmware: firmware.number)
        let status = try vm.encrypt(
            .guestStatus, kvm_sev_guest_status(), firmware: firmware.number)
        guard status.state == EncryptedLaunch.updating else {
            throw .lacks(
                "the SEV firmware has the guest in state \(status.state) after LAUNCH_START, not in"
                    + " state \(EncryptedLaunch.updating)")
        }
    }

    /// Encrypts a range in place; both ends are page-aligned.
    private func encrypt(_ range: Range<UInt64>) throws(KVMError) {
        var next = range.lowerBound
        while next < range.upperBound {
            let count = min(range.upperBound - next, EncryptedLaunch.longestUpdate)
            var request = kvm_sev_launch_update_data()
            unsafe request.uaddr = UInt64(UInt(bitPattern: memory.start + Int(next)))
            request.len = UInt32(count)
            try vm.encrypt(.launchUpdateData, request, firmware: firmware.number)
            next += count
        }
    }

    /// Asks how long the measurement is, and for the measurement.
    ///
    /// The firmware answers the question by an error, together with the length.
    private func measure() throws(KVMError) -> [UInt8] {
        var query = kvm_sev_launch_measure()
        do throws(KVMError) {
            try unsafe withUnsafeMutablePointer(to: &query) { pointer throws(KVMError) in
                unsafe try vm.encrypt(.launchMeasure, data: pointer, firmware: firmware.number)
            }
        } catch {
            guard case .refused(_, _, .invalidLength) = error, query.len > 0 else { throw error }
        }
        guard 1...EncryptedLaunch.longestMeasurement ~= query.len else {
            throw .lacks("the SEV firmware speaks of a measurement of \(query.len) bytes")
        }
        let empty = [UInt8](repeating: 0, count: Int(query.len))
        let bytes = try unsafe LentBytes.lend(empty) { place throws(KVMError) in
            query.uaddr = UInt64(UInt(bitPattern: place))
            query = try vm.encrypt(.launchMeasure, query, firmware: firmware.number)
        }
        return Array(bytes.prefix(Int(query.len)))
    }
}

// Private memory after the launch, through the firmware; REFERENCE 5d.
extension EncryptedVM {
    /// Bytes that the engine works on at once.
    private static let block: UInt64 = 16

    /// What the guest sees in private memory.
    ///
    /// - Throws: `.refused` where the policy or the firmware does not allow it.
    func decrypt(_ address: UInt64, count: Int) throws(KVMError) -> [UInt8] {
        guard count > 0 else { return [] }
        let blocks = try blocks(address, count)
        let bytes = try decrypt(blocks)
        return Array(bytes.dropFirst(Int(address - blocks.lowerBound)).prefix(count))
    }

    /// Makes the guest see these bytes in private memory.
    ///
    /// KVM 6.12 loses bytes of a write that is not aligned and crosses a block: whole ones are written.
    func encrypt(_ bytes: [UInt8], at address: UInt64) throws(KVMError) {
        guard !bytes.isEmpty else { return }
        let blocks = try blocks(address, bytes.count)
        var content = try decrypt(blocks)
        let start = Int(address - blocks.lowerBound)
        content.replaceSubrange(start..<start + bytes.count, with: bytes)
        _ = try unsafe LentBytes.lend(content) { place throws(KVMError) in
            var request = kvm_sev_dbg()
            request.src_uaddr = UInt64(UInt(bitPattern: place))
            request.dst_uaddr = userAddress(blocks)
            request.len = UInt32(blocks.count)
            try vm.encrypt(.debugEncrypt, request, firmware: firmware.number)
        }
    }

    private func decrypt(_ blocks: Range<UInt64>) throws(KVMError) -> [UInt8] {
        try unsafe LentBytes.lend([UInt8](repeating: 0, count: blocks.count)) {
            place throws(KVMError) in
            var request = kvm_sev_dbg()
            request.src_uaddr = userAddress(blocks)
            request.dst_uaddr = UInt64(UInt(bitPattern: place))
            request.len = UInt32(blocks.count)
            try vm.encrypt(.debugDecrypt, request, firmware: firmware.number)
        }
    }

    private func userAddress(_ blocks: Range<UInt64>) -> UInt64 {
        UInt64(UInt(bitPattern: unsafe memory.start)) + blocks.lowerBound
    }

    /// The blocks that have these bytes.
    private func blocks(_ address: UInt64, _ count: Int) throws(KVMError) -> Range<UInt64> {
        guard memory.contains(address, count: count), count <= EncryptedLaunch.longestUpdate else {
            throw .lacks("the guest has no RAM behind all \(count) bytes at \(address.hex)")
        }
        let end = address + UInt64(count)
        return address & ~(Self.block - 1)..<(end + Self.block - 1) & ~(Self.block - 1)
    }
}

/// One vCPU of an encrypted VM, and what it waits for.
final class EncryptedVCPU {
    enum Activity: Equatable {
        case running
        /// For the answer to an access of so many bytes; 0 for output.
        case waiting(bytes: Int)
        case halted
        /// For a SIPI.
        case held
        case ended
    }

    let file: VCPUFD
    var activity = Activity.running
    /// The request behind the access that the vCPU waits for or has just got, if it can be told.
    var request: (address: UInt64, sight: RequestSight)?

    init(_ file: consuming VCPUFD) { self.file = file }
}
