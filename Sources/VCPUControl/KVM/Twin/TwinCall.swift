internal import CKVM

/// The ioctls that the twin knows, told by their numbers.
enum TwinCall: CaseIterable {
    case getAPIVersion, createVM, checkExtension, getRunPageSize, getSupportedCPUID,
        getDeviceAttribute
    case issueCommand
    case setMemory, createVCPU, encrypt, pin, unpin
    case run, injectNMI
    case getRegisters, setRegisters, getSystemRegisters, setSystemRegisters
    case getSystemRegisters2, setSystemRegisters2, getFloat, setFloat, getExtended, setExtended
    case getExtendedControl, setExtendedControl, getDebugRegisters, setDebugRegisters
    case getEvents, setEvents, getRunState, setRunState
    case getMSRs, setMSRs, setCPUID, setGuestDebug, translate

    /// Unsafe: the functions of CKVM that know the numbers take addresses, here of nothing.
    var request: UInt {
        switch self {
        case .getAPIVersion: unsafe ckvm_get_api_version(0).request
        case .createVM: unsafe ckvm_create_vm(0).request
        case .checkExtension: unsafe ckvm_check_extension(0).request
        case .getRunPageSize: unsafe ckvm_get_vcpu_mmap_size(0).request
        case .getSupportedCPUID: 0xc008_ae05
        case .getDeviceAttribute: unsafe ckvm_get_device_attr(nil).request
        case .issueCommand: unsafe ckvm_sev_issue_cmd(nil).request
        case .setMemory: unsafe ckvm_set_user_memory_region(nil).request
        case .createVCPU: unsafe ckvm_create_vcpu(0).request
        case .encrypt: unsafe ckvm_memory_encrypt_op(nil).request
        case .pin: unsafe ckvm_memory_encrypt_reg_region(nil).request
        case .unpin: unsafe ckvm_memory_encrypt_unreg_region(nil).request
        case .run: unsafe ckvm_run(0).request
        case .injectNMI: unsafe ckvm_nmi(0).request
        case .getRegisters: unsafe ckvm_get_regs(nil).request
        case .setRegisters: unsafe ckvm_set_regs(nil).request
        case .getSystemRegisters: unsafe ckvm_get_sregs(nil).request
        case .setSystemRegisters: unsafe ckvm_set_sregs(nil).request
        case .getSystemRegisters2: unsafe ckvm_get_sregs2(nil).request
        case .setSystemRegisters2: unsafe ckvm_set_sregs2(nil).request
        case .getFloat: unsafe ckvm_get_fpu(nil).request
        case .setFloat: unsafe ckvm_set_fpu(nil).request
        case .getExtended: unsafe ckvm_get_xsave(nil).request
        case .setExtended: unsafe ckvm_set_xsave(nil).request
        case .getExtendedControl: unsafe ckvm_get_xcrs(nil).request
        case .setExtendedControl: unsafe ckvm_set_xcrs(nil).request
        case .getDebugRegisters: unsafe ckvm_get_debugregs(nil).request
        case .setDebugRegisters: unsafe ckvm_set_debugregs(nil).request
        case .getEvents: unsafe ckvm_get_vcpu_events(nil).request
        case .setEvents: unsafe ckvm_set_vcpu_events(nil).request
        case .getRunState: unsafe ckvm_get_mp_state(nil).request
        case .setRunState: unsafe ckvm_set_mp_state(nil).request
        // These read a count from their struct, so they cannot be asked without one.
        case .getMSRs: 0xc008_ae88
        case .setMSRs: 0x4008_ae89
        case .setCPUID: 0x4008_ae90
        case .setGuestDebug: unsafe ckvm_set_guest_debug(nil).request
        case .translate: unsafe ckvm_translate(nil).request
        }
    }

    private static let byNumber = Dictionary(
        uniqueKeysWithValues: allCases.map { ($0.request, $0) })

    /// `nil` for a number that is none of these.
    init?(request: UInt) {
        guard let call = Self.byNumber[request] else { return nil }
        self = call
    }

    /// The call that stores what this one reads, for state that comes and goes as a whole.
    var setter: TwinCall? {
        switch self {
        case .getRegisters: .setRegisters
        case .getSystemRegisters: .setSystemRegisters
        case .getSystemRegisters2: .setSystemRegisters2
        case .getFloat: .setFloat
        case .getExtended: .setExtended
        case .getExtendedControl: .setExtendedControl
        case .getDebugRegisters: .setDebugRegisters
        case .getEvents: .setEvents
        case .getRunState: .setRunState
        default: nil
        }
    }

    /// Whether KVM still takes it when the vCPU's state is encrypted (REFERENCE 5c).
    var isForProtected: Bool {
        switch self {
        case .getEvents, .setEvents, .getRunState, .setRunState: true
        default: false
        }
    }
}
