internal import CKVM
internal import SystemPackage

/// An ioctl that fails, and what the firmware says of it.
struct TwinFailure: Error {
    var errno: Errno
    var firmware = SEVFirmwareError.success

    /// KVM refuses by itself.
    static func kvm(_ errno: Errno) -> TwinFailure { TwinFailure(errno: errno) }
    /// The firmware refuses.
    static func firmware(_ error: SEVFirmwareError) -> TwinFailure {
        TwinFailure(errno: .ioError, firmware: error)
    }
}

/// A VM of the twin: what was asked of it, and the emulator that runs it once it is launched.
final class TwinVM {
    /// The steps of a guest in the firmware (REFERENCE 5b).
    enum State: UInt32 { case uninitialized, updating, secret, running }

    let host: KVMTwin.Host
    /// Whether it is of type `KVM_X86_SEV_ES_VM`: then its state is protected as Linux 6.10 does.
    let isTyped: Bool
    var vcpus: [TwinVCPU] = []
    private(set) var memory: TwinMemory?
    /// The GHCB protocol version; `nil` before the VM is initialized.
    private(set) var ghcbVersion: Int?
    private(set) var state = State.uninitialized
    private var policy = GuestPolicy()
    private var pinned: [Range<UInt64>] = []
    /// Whether LAUNCH_UPDATE_VMSA has encrypted the vCPUs there were.
    private(set) var isProtected = false
    private var emulator: EmulatedMachine?
    /// What a tracer has not fetched yet.
    var traced: [Exchange] = []

    init(_ host: KVMTwin.Host, isTyped: Bool) { (self.host, self.isTyped) = (host, isTyped) }

    /// `KVM_CREATE_VCPU`.
    func addVCPU(_ number: UInt) throws(Errno) -> Int {
        guard number < 512 else { throw .invalidArgument }
        guard number == UInt(vcpus.count) else { throw .fileExists }
        vcpus.append(TwinVCPU())
        return Int(number)
    }

    /// `KVM_SET_USER_MEMORY_REGION`; the emulator has its RAM in one piece from GPA 0.
    func setMemory(_ region: kvm_userspace_memory_region) throws(Errno) -> Int32 {
        let isAligned =
            (region.guest_phys_addr | region.memory_size | region.userspace_addr) & 0xfff == 0
        guard isAligned, region.slot == 0, region.flags == 0, region.guest_phys_addr == 0,
            emulator == nil
        else { throw .invalidArgument }
        guard region.memory_size > 0 else {
            memory = nil
            return 0
        }
        guard memory == nil else { throw .fileExists }
        let address = UInt(region.userspace_addr)
        guard let start = unsafe UnsafeMutableRawPointer(bitPattern: address) else {
            throw .invalidArgument
        }
        memory = unsafe TwinMemory(start, size: region.memory_size, key: host.seed)
        return 0
    }

    /// `KVM_MEMORY_ENCRYPT_REG_REGION`.
    func pin(_ region: kvm_enc_region) throws(Errno) -> Int32 {
        guard ghcbVersion != nil else { throw .inappropriateIOCTLForDevice }
        guard let range = Self.range(region), memory?.contains(range) == true else {
            throw .invalidArgument
        }
        pinned.append(range)
        return 0
    }

    /// `KVM_MEMORY_ENCRYPT_UNREG_REGION`.
    func unpin(_ region: kvm_enc_region) throws(Errno) -> Int32 {
        guard ghcbVersion != nil else { throw .inappropriateIOCTLForDevice }
        guard let range = Self.range(region), let index = pinned.firstIndex(of: range) else {
            throw .invalidArgument
        }
        pinned.remove(at: index)
        return 0
    }

    private static func range(_ region: kvm_enc_region) -> Range<UInt64>? {
        let (end, overflow) = region.addr.addingReportingOverflow(region.size)
        return overflow || region.size == 0 ? nil : region.addr..<end
    }

    /// The emulator, made of what the VM has come to when a vCPU runs first.
    func machine() throws(Errno) -> EmulatedMachine {
        if let emulator { return emulator }
        guard let memory, let ghcbVersion else { throw .invalidArgument }
        let plan = LaunchPlan(
            ramSize: memory.size, regions: memory.regions, vcpus: vcpus.map(\.launch),
            cBit: host.cBit, ghcbVersion: ghcbVersion, hypervisor: host.hypervisor,
            hypervisorFaults: host.faults)
        let machine: EmulatedMachine
        do throws(MachineError) {
            machine = try EmulatedMachine(plan, seed: host.seed)
        } catch { throw .noMemory }
        memory.attach(machine.guest)
        emulator = machine
        return machine
    }
}

// SEV commands; REFERENCE 4b, 5a, 5b.
extension TwinVM {
    /// `KVM_MEMORY_ENCRYPT_OP`.
    ///
    /// Unsafe: a command brings the address of its struct.
    func carryOut(_ command: kvm_sev_cmd) throws(TwinFailure) {
        guard let kind = SEVCommand(rawValue: command.id) else { throw .kvm(.invalidArgument) }
        switch kind {
        case .initialize: return try initialize(try Self.data(command))
        case .legacyInit: return try initializeLegacy()
        default: guard ghcbVersion != nil else { throw .kvm(.inappropriateIOCTLForDevice) }
        }
        switch kind {
        case .launchStart: try start(try Self.data(command))
        case .launchUpdateData: try update(try Self.data(command))
        case .launchUpdateVMSA: try updateVMSA()
        case .launchMeasure:
            let place: UnsafeMutablePointer<kvm_sev_launch_measure> = unsafe try Self.place(command)
            unsafe try measure(&place.pointee)
        case .launchFinish: try finish()
        case .debugDecrypt: try decrypt(try Self.data(command))
        case .debugEncrypt: try encrypt(try Self.data(command))
        default:
            let place: UnsafeMutablePointer<kvm_sev_guest_status> = unsafe try Self.place(command)
            unsafe tellStatus(&place.pointee)
        }
    }

    private static func place<Value>(
        _ command: kvm_sev_cmd
    ) throws(TwinFailure) -> UnsafeMutablePointer<Value> {
        guard let place = unsafe UnsafeMutablePointer<Value>(bitPattern: UInt(command.data)) else {
            throw .kvm(.badAddress)
        }
        return unsafe place
    }

    private static func data<Value>(_ command: kvm_sev_cmd) throws(TwinFailure) -> Value {
        unsafe try place(command).pointee
    }

    private func initialize(_ request: ckvm_sev_init) throws(TwinFailure) {
        let features = SEVFeatures(rawValue: request.vmsa_features)
        guard host.hasTypedVMs, isTyped, ghcbVersion == nil, vcpus.isEmpty, request.flags == 0,
            features.isSubset(of: host.features), request.ghcb_version <= 2
        else { throw .kvm(.invalidArgument) }
        ghcbVersion = request.ghcb_version == 0 ? 2 : Int(request.ghcb_version)
    }

    private func initializeLegacy() throws(TwinFailure) {
        guard !isTyped, host.hasSEVES, ghcbVersion == nil, vcpus.isEmpty else {
            throw .kvm(.invalidArgument)
        }
        ghcbVersion = 1
    }

    private func start(_ request: kvm_sev_launch_start) throws(TwinFailure) {
        guard state == .uninitialized else { throw .firmware(.invalidGuestState) }
        policy = GuestPolicy(rawValue: request.policy)
        guard policy.contains(.sevES) else { throw .firmware(.policyFailure) }
        state = .updating
    }

    private func tellStatus(_ status: inout kvm_sev_guest_status) {
        (status.handle, status.policy, status.state) = (1, policy.rawValue, state.rawValue)
    }

    /// Both ends have to be multiples of 16, as the engine encrypts.
    private func update(_ request: kvm_sev_launch_update_data) throws(TwinFailure) {
        guard state == .updating else { throw .firmware(.invalidGuestState) }
        guard request.uaddr & 15 == 0 else { throw .firmware(.invalidAddress) }
        guard request.len & 15 == 0, request.len > 0 else { throw .firmware(.invalidLength) }
        let range = request.uaddr..<request.uaddr + UInt64(request.len)
        guard let memory, memory.contains(range) else { throw .kvm(.noMemory) }
        memory.encrypt(range)
    }

    private func updateVMSA() throws(TwinFailure) {
        guard !isProtected, !vcpus.contains(where: \.isDebugged) else {
            throw .kvm(.invalidArgument)
        }
        guard state == .updating else { throw .firmware(.invalidGuestState) }
        for vcpu in vcpus { vcpu.isEncrypted = true }
        isProtected = true
    }

    /// 32 bytes of what a firmware would have made an HMAC of, and 16 of its nonce.
    private func measure(_ request: inout kvm_sev_launch_measure) throws(TwinFailure) {
        guard state == .updating else { throw .firmware(.invalidGuestState) }
        let size: UInt32 = 48
        defer { request.len = size }
        guard request.len >= size else { throw .firmware(.invalidLength) }
        guard let place = unsafe UnsafeMutableRawPointer(bitPattern: UInt(request.uaddr)) else {
            throw .kvm(.badAddress)
        }
        let bytes = memory?.measurement(vcpus.map(\.launch), count: Int(size)) ?? []
        unsafe place.copyMemory(from: bytes, byteCount: bytes.count)
        state = .secret
    }

    private func finish() throws(TwinFailure) {
        guard state == .secret else { throw .firmware(.invalidGuestState) }
        state = .running
    }

    private func decrypt(_ request: kvm_sev_dbg) throws(TwinFailure) {
        let (memory, range) = try debugged(request.src_uaddr, request.len)
        guard let place = unsafe UnsafeMutableRawPointer(bitPattern: UInt(request.dst_uaddr)) else {
            throw .kvm(.invalidArgument)
        }
        let bytes = memory.decrypted(range)
        unsafe place.copyMemory(from: bytes, byteCount: bytes.count)
    }

    private func encrypt(_ request: kvm_sev_dbg) throws(TwinFailure) {
        let (memory, range) = try debugged(request.dst_uaddr, request.len)
        guard let place = unsafe UnsafeRawPointer(bitPattern: UInt(request.src_uaddr)) else {
            throw .kvm(.badAddress)
        }
        let buffer = unsafe UnsafeRawBufferPointer(start: place, count: Int(request.len))
        memory.encrypt(unsafe [UInt8](buffer), at: range.lowerBound)
    }

    /// The guest's memory that a debugger may see, once it has a key.
    private func debugged(
        _ address: UInt64, _ count: UInt32
    ) throws(TwinFailure) -> (TwinMemory, Range<UInt64>) {
        let (end, overflow) = address.addingReportingOverflow(UInt64(count))
        guard count > 0, !overflow else { throw .kvm(.invalidArgument) }
        guard let memory, memory.contains(address..<end) else { throw .kvm(.badAddress) }
        guard state != .uninitialized else { throw .firmware(.invalidGuestState) }
        guard !policy.contains(.noDebug) else { throw .firmware(.policyFailure) }
        return (memory, address..<end)
    }
}
