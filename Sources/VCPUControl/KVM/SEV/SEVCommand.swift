internal import SystemPackage

/// The commands of `KVM_MEMORY_ENCRYPT_OP` that a launch and a debugger use (REFERENCE 5a).
package enum SEVCommand: UInt32, CaseIterable, Sendable {
    /// For VMs of the default type, as before Linux 6.10.
    case legacyInit = 1
    case launchStart = 2
    case launchUpdateData = 3
    case launchUpdateVMSA = 4
    case launchMeasure = 6
    case launchFinish = 7
    case guestStatus = 16
    case debugDecrypt = 17
    case debugEncrypt = 18
    case initialize = 22

    /// The kernel's name.
    package var name: String {
        switch self {
        case .legacyInit: "KVM_SEV_ES_INIT"
        case .launchStart: "KVM_SEV_LAUNCH_START"
        case .launchUpdateData: "KVM_SEV_LAUNCH_UPDATE_DATA"
        case .launchUpdateVMSA: "KVM_SEV_LAUNCH_UPDATE_VMSA"
        case .launchMeasure: "KVM_SEV_LAUNCH_MEASURE"
        case .launchFinish: "KVM_SEV_LAUNCH_FINISH"
        case .guestStatus: "KVM_SEV_GUEST_STATUS"
        case .debugDecrypt: "KVM_SEV_DBG_DECRYPT"
        case .debugEncrypt: "KVM_SEV_DBG_ENCRYPT"
        case .initialize: "KVM_SEV_INIT2"
        }
    }

    /// What to do where KVM refuses the command by itself.
    func advice(_ error: Errno) -> String? {
        switch (self, error) {
        case (.initialize, .resourceBusy), (.legacyInit, .resourceBusy):
            "all ASIDs for SEV-ES are in use: end another such guest, or raise \"SEV-ES ASID space"
                + " limit\" in the BIOS"
        case (.initialize, .invalidArgument), (.legacyInit, .invalidArgument):
            "this KVM refuses the GHCB version or the VMSA features that are asked for: try"
                + " --ghcb-version 1"
        case (.launchUpdateVMSA, .resourceBusy): "a vCPU is being made: launch once more"
        case (_, .inappropriateIOCTLForDevice):
            "KVM has SEV-ES off: load it with `sudo modprobe kvm_amd sev=1 sev_es=1`"
        case (_, .badFileDescriptor): "/dev/sev went away"
        case (_, .noMemory): "memory is pinned: raise RLIMIT_MEMLOCK with `ulimit -l unlimited`"
        default: nil
        }
    }
}
