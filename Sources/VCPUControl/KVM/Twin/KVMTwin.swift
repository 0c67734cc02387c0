internal import CKVM
internal import Synchronization
internal import SystemPackage

/// A `/dev/kvm` and a `/dev/sev` that are not there: the SEV-ES kernel interface on the emulator.
///
/// It takes each system call that the sev-es machine makes, by its number and its bytes, and answers
/// as KVM and the firmware do: the order of a launch and its errors, what is hidden behind
/// LAUNCH_UPDATE_VMSA and with which errno, exits in a `kvm_run` (REFERENCE 5). The guest runs on
/// the vCPUs of the emulator. So everything above the ioctls runs on any machine as on an EPYC.
///
/// Unsafe: arguments are addresses of the caller's structs, as with ioctl(2).
@safe final class KVMTwin: KVMSyscalls, KVMTracing {
    /// The host that is pretended.
    struct Host: Sendable {
        /// Linux 6.10 and later: VM types, and `KVM_SEV_INIT2`.
        var hasTypedVMs = true
        /// The VMSA features that KVM offers; the emulated vCPU has none of them.
        var features: SEVFeatures = []
        /// Whether kvm_amd was loaded with sev_es=1 on a processor that has it.
        var hasSEVES = true
        /// Whether there is a /dev/sev.
        var hasFirmware = true
        var cBit = 51
        /// Whether somebody traces KVM, and interrupts `KVM_RUN` behind each VMGEXIT.
        var isTraced = false
        var hypervisor = HypervisorBehaviour.kvm
        var faults: HypervisorFault = []
        /// The source of the guests' keys and random numbers.
        var seed: UInt64 = 0
    }

    private enum File {
        case system, firmware
        case vm(TwinVM)
        case vcpu(TwinVM, Int)
    }

    private let host: Host
    private let linux = LinuxSyscalls()
    private var files: [Int32: File] = [:]
    private var nextFile: Int32 = 100
    /// One call at a time: vCPUs may be run by threads of their own.
    private let turn = Mutex(())

    init(_ host: Host = Host()) { self.host = host }

    func open(_ path: String) throws(Errno) -> Int32 {
        switch path {
        case SystemFD.path: return add(.system)
        case SEVDevice.path where host.hasFirmware: return add(.firmware)
        default: throw .noSuchFileOrDirectory
        }
    }

    func close(_ descriptor: Int32) { files[descriptor] = nil }

    func ioctl(_ descriptor: Int32, _ call: ckvm_call) throws(Errno) -> Int32 {
        // The struct behind the address is the caller's, who waits.
        nonisolated(unsafe) let call = unsafe call
        return try turn.withLock { _ throws(Errno) in unsafe try answer(descriptor, call) }
    }

    private func answer(_ descriptor: Int32, _ call: ckvm_call) throws(Errno) -> Int32 {
        guard let file = files[descriptor] else { throw .badFileDescriptor }
        guard let kind = TwinCall(request: unsafe call.request) else {
            throw .inappropriateIOCTLForDevice
        }
        let argument = unsafe TwinArgument(call)
        switch file {
        case .system: return try system(kind, argument)
        case .firmware: return try firmware(kind, argument)
        case .vm(let vm): return try self.vm(vm, kind, argument)
        case .vcpu(let vm, let number): return try vm.vcpuCall(number, kind, argument)
        }
    }

    /// The `kvm_run` of a vCPU, or memory for a guest.
    func map(_ descriptor: Int32, count: Int) throws(Errno) -> UnsafeMutableRawPointer {
        guard descriptor != anonymousMemory else {
            return unsafe try linux.map(descriptor, count: count)
        }
        guard case .vcpu(let vm, let number) = files[descriptor] else { throw .badFileDescriptor }
        guard count == TwinRunPage.size else { throw .invalidArgument }
        let page = unsafe try linux.map(anonymousMemory, count: count)
        unsafe vm.vcpus[number].page = TwinRunPage(page)
        return unsafe page
    }

    func unmap(_ start: UnsafeMutableRawPointer, count: Int) {
        unsafe linux.unmap(start, count: count)
    }

    func takeExchanges(isOver: Bool) -> [Exchange] {
        files.values.flatMap { file in
            guard case .vm(let vm) = file else { return [Exchange]() }
            defer { vm.traced = [] }
            return vm.traced
        }
    }

    private func add(_ file: File) -> Int32 {
        nextFile += 1
        files[nextFile] = file
        return nextFile
    }
}

// What each descriptor takes.
extension KVMTwin {
    private func system(_ call: TwinCall, _ argument: TwinArgument) throws(Errno) -> Int32 {
        switch call {
        case .getAPIVersion: return 12
        case .getRunPageSize: return Int32(TwinRunPage.size)
        case .checkExtension: return extensionValue(Int32(truncatingIfNeeded: argument.number))
        case .createVM: return try makeVM(Int32(truncatingIfNeeded: argument.number))
        case .getSupportedCPUID: return try offerCPUID(argument)
        case .getDeviceAttribute: return try offerFeatures(argument)
        default: throw .inappropriateIOCTLForDevice
        }
    }

    private func extensionValue(_ number: Int32) -> Int32 {
        switch number {
        case KVM_CAP_VM_TYPES where host.hasTypedVMs:
            1 << KVM_X86_DEFAULT_VM
                | (host.hasSEVES ? 1 << KVM_X86_SEV_VM | 1 << KVM_X86_SEV_ES_VM : 0)
        case KVM_CAP_SET_GUEST_DEBUG, KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_X86_MSR_FILTER: 1
        case KVM_CAP_SYNC_REGS: 7
        default: 0
        }
    }

    private func makeVM(_ type: Int32) throws(Errno) -> Int32 {
        let isTyped = type == KVM_X86_SEV_ES_VM
        guard isTyped ? host.hasTypedVMs && host.hasSEVES : type == KVM_X86_DEFAULT_VM else {
            throw .invalidArgument
        }
        return add(.vm(TwinVM(host, isTyped: isTyped)))
    }

    private func offerCPUID(_ argument: TwinArgument) throws(Errno) -> Int32 {
        let table = CPUIDTable(cBit: host.cBit, vcpus: 1)
        let leaves: [UInt32] =
            [0, 1, 7] + [0x4000_0000, 0x4000_0001]
            + Array(0x8000_0000...0x8000_0004) + [0x8000_0007, 0x8000_0008, 0x8000_001f]
        var entries = leaves.map { kvm_cpuid_entry2($0, 0, table) }
        entries += [0, 1].map { kvm_cpuid_entry2(0xd, $0, table) }
        if !host.hasSEVES { entries.removeAll { $0.function == 0x8000_001f } }
        let head = unsafe try argument.pointer(to: kvm_cpuid2.self)
        guard unsafe head.pointee.nent >= UInt32(entries.count) else { throw .argListTooLong }
        unsafe head.pointee.nent = UInt32(entries.count)
        try argument.store(entries, behind: MemoryLayout<kvm_cpuid2>.size)
        return 0
    }

    private func offerFeatures(_ argument: TwinArgument) throws(Errno) -> Int32 {
        let request = unsafe try argument.pointer(to: kvm_device_attr.self).pointee
        guard host.hasTypedVMs, request.group == UInt32(KVM_X86_GRP_SEV),
            request.attr == UInt64(KVM_X86_SEV_VMSA_FEATURES)
        else { throw .noSuchAddressOrDevice }
        guard let place = unsafe UnsafeMutableRawPointer(bitPattern: UInt(request.addr)) else {
            throw .badAddress
        }
        unsafe place.storeBytes(of: host.features.rawValue, as: UInt64.self)
        return 0
    }

    /// The platform of a firmware of version 1.55: initialized, for SEV-ES, with no guest.
    private func firmware(_ call: TwinCall, _ argument: TwinArgument) throws(Errno) -> Int32 {
        guard call == .issueCommand else { throw .inappropriateIOCTLForDevice }
        let bytes = try argument.bytes
        guard bytes.count == 16, bytes[0] == UInt8(SEV_PLATFORM_STATUS) else {
            throw .invalidArgument
        }
        let address = UInt(UInt64(littleEndian: bytes[4..<12]))
        guard let place = unsafe UnsafeMutableRawPointer(bitPattern: address) else {
            throw .badAddress
        }
        let status: [UInt8] = [1, 55, 1, 0, 1, 0, 0, 21, 0, 0, 0, 0]
        unsafe place.copyMemory(from: status, byteCount: status.count)
        return 0
    }

    private func vm(
        _ vm: TwinVM, _ call: TwinCall, _ argument: TwinArgument
    ) throws(Errno) -> Int32 {
        switch call {
        case .checkExtension:
            let number = Int32(truncatingIfNeeded: argument.number)
            return number == KVM_CAP_SYNC_REGS && vm.isTyped ? 0 : extensionValue(number)
        case .createVCPU: return add(.vcpu(vm, try vm.addVCPU(argument.number)))
        case .setMemory:
            return try vm.setMemory(try argument.pointee(kvm_userspace_memory_region.self))
        case .pin: return try vm.pin(try argument.pointee(kvm_enc_region.self))
        case .unpin: return try vm.unpin(try argument.pointee(kvm_enc_region.self))
        case .encrypt:
            let command = unsafe try argument.pointer(to: kvm_sev_cmd.self)
            guard case .firmware = files[Int32(bitPattern: unsafe command.pointee.sev_fd)] else {
                throw .badFileDescriptor
            }
            do throws(TwinFailure) {
                unsafe try vm.carryOut(command.pointee)
            } catch {
                unsafe command.pointee.error = error.firmware.rawValue
                throw error.errno
            }
            return 0
        default: throw .inappropriateIOCTLForDevice
        }
    }
}

extension kvm_cpuid_entry2 {
    fileprivate init(_ leaf: UInt32, _ subleaf: UInt32, _ table: CPUIDTable) {
        self.init()
        let result = table.result(leaf: leaf, subleaf: subleaf, vcpu: 0)
        (function, index) = (leaf, subleaf)
        if leaf == 7 || leaf == 0xd { flags = UInt32(KVM_CPUID_FLAG_SIGNIFCANT_INDEX) }
        (eax, ebx, ecx, edx) = (result.eax, result.ebx, result.ecx, result.edx)
    }
}

/// The argument of an ioctl: a number, or a struct of the caller's.
///
/// Unsafe: reads and writes the caller's struct, within the size that came along.
@safe struct TwinArgument {
    private let start: UnsafeMutableRawPointer?
    private let size: Int

    init(_ call: ckvm_call) {
        unsafe start = call.argument
        size = unsafe call.size
    }

    var number: UInt { UInt(bitPattern: unsafe start) }

    func pointer<Value>(to type: Value.Type) throws(Errno) -> UnsafeMutablePointer<Value> {
        guard let start = unsafe start, size >= MemoryLayout<Value>.size else { throw .badAddress }
        return unsafe start.assumingMemoryBound(to: type)
    }

    func pointee<Value>(_ type: Value.Type) throws(Errno) -> Value {
        unsafe try pointer(to: type).pointee
    }

    /// All of the struct.
    var bytes: [UInt8] {
        get throws(Errno) {
            guard let start = unsafe start else { throw .badAddress }
            return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: size))
        }
    }

    /// Fills the struct; what is missing is zero.
    func fill(_ bytes: [UInt8]) throws(Errno) {
        guard let start = unsafe start else { throw .badAddress }
        let all = bytes.prefix(size) + [UInt8](repeating: 0, count: max(size - bytes.count, 0))
        unsafe start.copyMemory(from: Array(all), byteCount: size)
    }

    /// The entries behind a struct.
    func entries<Entry>(_ type: Entry.Type, behind head: Int) throws(Errno) -> [Entry] {
        guard let start = unsafe start, size >= head else { throw .badAddress }
        let first = unsafe (start + head).assumingMemoryBound(to: type)
        return (0..<(size - head) / MemoryLayout<Entry>.stride).map { unsafe first[$0] }
    }

    func store<Entry>(_ entries: [Entry], behind head: Int) throws(Errno) {
        guard let start = unsafe start, size >= head + entries.count * MemoryLayout<Entry>.stride
        else { throw .argListTooLong }
        let first = unsafe (start + head).assumingMemoryBound(to: Entry.self)
        for (index, entry) in entries.enumerated() { unsafe first[index] = entry }
    }
}
