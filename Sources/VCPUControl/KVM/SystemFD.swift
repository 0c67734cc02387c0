internal import CKVM
internal import SystemPackage

/// `/dev/kvm`: what the KVM of this host can do, and the way to a VM.
struct SystemFD: ~Copyable {
    static let path = "/dev/kvm"
    /// The only version there ever was (`KVM_GET_API_VERSION`).
    static let apiVersion: Int32 = 12
    /// More entries than any KVM has; the kernel's own limit is 256.
    private static let cpuidCapacity = 256

    private let descriptor: KVMDescriptor
    private var syscalls: any KVMSyscalls { descriptor.syscalls }

    /// Opens the device.
    init(_ syscalls: any KVMSyscalls = LinuxSyscalls()) throws(KVMError) {
        let number: Int32
        do throws(Errno) {
            number = try syscalls.open(Self.path)
        } catch { throw .failed(call: "open", on: Self.path, error) }
        let descriptor = KVMDescriptor(number: number, subject: Self.path, syscalls: syscalls)
        let version = unsafe try descriptor.perform(ckvm_get_api_version(0))
        guard version == Self.apiVersion else {
            throw .lacks("\(Self.path) speaks version \(version) of KVM's API, not 12")
        }
        self.descriptor = descriptor
    }

    /// What an extension says of itself, 0 where it is unknown; `KVM_CHECK_EXTENSION`.
    func extensionValue(_ number: Int32) throws(KVMError) -> Int {
        Int(unsafe try descriptor.perform(ckvm_check_extension(UInt(number))))
    }

    /// Makes a VM of a type: `KVM_X86_DEFAULT_VM`, `KVM_X86_SEV_ES_VM`; `KVM_CREATE_VM`.
    func makeVM(type: Int32 = KVM_X86_DEFAULT_VM) throws(KVMError) -> VMFD {
        let size = unsafe try descriptor.perform(ckvm_get_vcpu_mmap_size(0))
        let number = unsafe try descriptor.perform(ckvm_create_vm(UInt(type)))
        return VMFD(
            KVMDescriptor(number: number, subject: "the VM", syscalls: syscalls),
            runPageSize: Int(size))
    }

    /// The CPUID that this KVM can offer a guest; `KVM_GET_SUPPORTED_CPUID`.
    func supportedCPUID() throws(KVMError) -> [kvm_cpuid_entry2] {
        let empty = [kvm_cpuid_entry2](repeating: .init(), count: Self.cpuidCapacity)
        return try unsafe descriptor.exchange(
            ckvm_get_supported_cpuid, empty, header: { kvm_cpuid2(count: $0) },
            count: { $0.nent }
        ).entries
    }

    /// The VMSA features that SEV-ES VMs can have; `KVM_GET_DEVICE_ATTR` of `KVM_X86_GRP_SEV`.
    func vmsaFeatures() throws(KVMError) -> UInt64 {
        var features: UInt64 = 0
        try unsafe withUnsafeMutablePointer(to: &features) { pointer throws(KVMError) in
            let attribute = kvm_device_attr(
                flags: 0, group: UInt32(KVM_X86_GRP_SEV), attr: UInt64(KVM_X86_SEV_VMSA_FEATURES),
                addr: UInt64(UInt(bitPattern: pointer)))
            try unsafe descriptor.exchange(ckvm_get_device_attr, attribute)
        }
        return features
    }
}

extension kvm_cpuid2 {
    /// The head of so many entries.
    init(count: UInt32) {
        self.init()
        nent = count
    }
}
