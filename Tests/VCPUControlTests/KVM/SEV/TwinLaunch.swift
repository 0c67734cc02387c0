import CKVM
import SystemPackage

@testable import VCPUControl

/// A VM of the twin with two pages of memory, launched step by step.
final class TwinLaunch {
    private let firmware: SEVDevice
    let vm: VMFD
    private let memory: PlainMemory

    init(_ host: KVMTwin.Host = .init(), type: Int32 = KVM_X86_SEV_ES_VM) throws {
        let twin = KVMTwin(host)
        let system = try SystemFD(twin)
        firmware = try SEVDevice(twin)
        vm = try system.makeVM(type: type)
        memory = try PlainMemory(count: 0x2000, LinuxSyscalls())
        unsafe try vm.setMemory(slot: 0, at: 0, size: 0x2000, host: memory.start)
    }

    /// The memory as its owner sees it.
    var bytes: [UInt8] {
        get { memory.read(0, count: memory.count) ?? [] }
        set { _ = memory.write(newValue, to: 0) }
    }

    /// What a step is refused with.
    func refusal(_ body: (TwinLaunch) throws(KVMError) -> Void) -> KVMError? {
        do throws(KVMError) { try body(self) } catch { return error }
        return nil
    }

    func makeVCPU() throws(KVMError) -> EncryptedVCPU { EncryptedVCPU(try vm.makeVCPU(0)) }

    func initialize(
        version: UInt16 = 2, features: UInt64 = 0, flags: UInt32 = 0
    ) throws(KVMError) {
        var request = ckvm_sev_init()
        (request.ghcb_version, request.vmsa_features, request.flags) = (version, features, flags)
        try vm.encrypt(.initialize, request, firmware: firmware.number)
    }

    func start(policy: UInt32 = 4) throws(KVMError) {
        var request = kvm_sev_launch_start()
        request.policy = policy
        try vm.encrypt(.launchStart, request, firmware: firmware.number)
    }

    func update(_ offset: Int, _ count: UInt32) throws(KVMError) {
        var request = kvm_sev_launch_update_data()
        unsafe request.uaddr = UInt64(UInt(bitPattern: memory.start + offset))
        request.len = count
        try vm.encrypt(.launchUpdateData, request, firmware: firmware.number)
    }

    /// Decrypts so many bytes of memory for a debugger.
    func decrypt(_ count: UInt32) throws(KVMError) -> [UInt8] {
        try unsafe LentBytes.lend([UInt8](repeating: 0, count: Int(count))) {
            place throws(KVMError) in
            var request = kvm_sev_dbg()
            unsafe request.src_uaddr = UInt64(UInt(bitPattern: memory.start))
            request.dst_uaddr = UInt64(UInt(bitPattern: place))
            request.len = count
            try vm.encrypt(.debugDecrypt, request, firmware: firmware.number)
        }
    }

    /// A command without a struct.
    func carryOut(_ command: SEVCommand) throws(KVMError) {
        unsafe try vm.encrypt(command, data: nil, firmware: firmware.number)
    }

    func measure() throws(KVMError) {
        let empty = [UInt8](repeating: 0, count: 64)
        _ = try unsafe LentBytes.lend(empty) { place throws(KVMError) in
            var request = kvm_sev_launch_measure()
            (request.uaddr, request.len) = (UInt64(UInt(bitPattern: place)), 64)
            try vm.encrypt(.launchMeasure, request, firmware: firmware.number)
        }
    }

    var state: UInt32 {
        get throws(KVMError) {
            try vm.encrypt(.guestStatus, kvm_sev_guest_status(), firmware: firmware.number).state
        }
    }
}
