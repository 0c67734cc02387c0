/// SEV_FEATURES of a VMSA, and what `KVM_SEV_INIT2` takes as `vmsa_features`; REFERENCE 9.
///
/// SEV_STATUS shows the same list two bits further up.
package struct SEVFeatures: OptionSet, Hashable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The debug registers are swapped with the VMSA: #DB and DR7 belong to the guest.
    package static let debugSwap = SEVFeatures(rawValue: 1 << 5)

    /// The names of the bits that are set, in ascending order; `bit 19` for one without a name.
    package var names: [String] { Self.table.names(of: rawValue) }

    private static let table = BitNames([
        0: "SNP_ACTIVE", 1: "VTOM", 2: "REFLECT_VC", 3: "RESTRICTED_INJECTION",
        4: "ALTERNATE_INJECTION", 5: "DEBUG_SWAP", 6: "PREVENT_HOST_IBS", 7: "BTB_ISOLATION",
        8: "VMPL_SSS", 9: "SECURE_TSC", 10: "VMGEXIT_PARAMETER", 11: "PMC_VIRTUALIZATION",
        12: "IBS_VIRTUALIZATION", 13: "GUEST_INTERCEPT_CONTROL", 14: "VMSA_REG_PROTECTION",
        15: "SMT_PROTECTION", 16: "SECURE_AVIC", 21: "IBPB_ON_ENTRY",
        63: "ALLOWED_FEATURES_ENABLE",
    ])
}
