/// What the SEV firmware says of a command that it did not carry out.
///
/// `sev_ret_code` of linux/psp-sev.h; SEV API, section 6.1.
package struct SEVFirmwareError: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let success = SEVFirmwareError(rawValue: 0)
    package static let invalidGuestState = SEVFirmwareError(rawValue: 2)
    package static let invalidLength = SEVFirmwareError(rawValue: 4)
    package static let policyFailure = SEVFirmwareError(rawValue: 7)
    package static let invalidAddress = SEVFirmwareError(rawValue: 9)
    package static let resourceLimit = SEVFirmwareError(rawValue: 23)

    /// `SEV_RET_POLICY_FAILURE`; the number for one that has no name.
    package var name: String { Self.table[rawValue]?.name ?? "error \(rawValue.hex)" }

    /// What the firmware says, in words; `nil` where it was not even asked.
    package var meaning: String? {
        guard self != .success else { return nil }
        let head = "the SEV firmware answers \(name) (\(Int32(bitPattern: rawValue)))"
        return Self.table[rawValue].map { head + ", " + $0.meaning } ?? head
    }

    /// What mends it, where something does.
    package var remedy: String? { Self.table[rawValue]?.remedy }

    private typealias Row = (name: String, meaning: String, remedy: String?)

    /// KVM's word for a firmware that was never called.
    private static let notCalled = UInt32.max
    private static let again = "launch once more; `sudo dmesg | grep -i sev` has more"
    private static let update =
        "update the firmware (linux-firmware, amd/amd_sev_*.sbin) and the BIOS"

    private static let table: [UInt32: Row] = [
        notCalled: (
            "SEV_RET_NO_FW_CALL", "the firmware was not called",
            "see `sudo dmesg | grep -i -e ccp -e sev`; `sudo modprobe ccp` loads it"
        ),
        1: (
            "SEV_RET_INVALID_PLATFORM_STATE", "the platform is not initialized",
            "reload the firmware with `sudo modprobe -r kvm_amd ccp && sudo modprobe kvm_amd`"
        ),
        2: (
            "SEV_RET_INVALID_GUEST_STATE", "the guest is at another step of its launch", again
        ),
        3: (
            "SEV_RET_INVALID_CONFIG", "the platform is not set up for this command",
            "turn SEV-ES on in the BIOS (\"SEV-ES ASID space limit\")"
        ),
        4: ("SEV_RET_INVALID_LEN", "a length is wrong", nil),
        5: (
            "SEV_RET_ALREADY_OWNED", "somebody else owns the platform",
            "reset it with `sudo sevctl reset`"
        ),
        6: (
            "SEV_RET_INVALID_CERTIFICATE", "a certificate is invalid",
            "reset it with `sudo sevctl reset`"
        ),
        7: (
            "SEV_RET_POLICY_FAILURE", "the policy of the guest forbids it",
            "sevdbg launches with debugging allowed; the platform may demand a newer firmware"
        ),
        8: ("SEV_RET_INACTIVE", "the guest's key is not in the memory controller", again),
        9: ("SEV_RET_INVALID_ADDRESS", "an address is not aligned, or is not memory", nil),
        10: ("SEV_RET_BAD_SIGNATURE", "a signature is wrong", nil),
        11: ("SEV_RET_BAD_MEASUREMENT", "a measurement is wrong", nil),
        12: ("SEV_RET_ASID_OWNED", "the ASID belongs to another guest", again),
        13: (
            "SEV_RET_INVALID_ASID", "the ASID is beyond those for SEV-ES",
            "raise \"SEV-ES ASID space limit\" in the BIOS"
        ),
        14: ("SEV_RET_WBINVD_REQUIRED", "caches have to be written back first", again),
        15: ("SEV_RET_DFFLUSH_REQUIRED", "the data fabric has to be flushed first", again),
        16: ("SEV_RET_INVALID_GUEST", "there is no guest with this handle", again),
        17: ("SEV_RET_INVALID_COMMAND", "this firmware does not know the command", update),
        18: ("SEV_RET_ACTIVE", "the guest is active already", again),
        19: ("SEV_RET_HWSEV_RET_PLATFORM", "the hardware of the platform failed", update),
        20: (
            "SEV_RET_HWSEV_RET_UNSAFE", "the hardware failed, and memory may be damaged", "reboot"
        ),
        21: ("SEV_RET_UNSUPPORTED", "this firmware cannot do it", update),
        22: ("SEV_RET_INVALID_PARAM", "a parameter is invalid", nil),
        23: (
            "SEV_RET_RESOURCE_LIMIT", "the firmware has no room for another guest",
            "end another SEV guest"
        ),
        24: (
            "SEV_RET_SECURE_DATA_INVALID", "the firmware's own data is damaged",
            "reset it with `sudo sevctl reset`"
        ),
    ]
}
