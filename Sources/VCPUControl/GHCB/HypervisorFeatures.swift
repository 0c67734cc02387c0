/// The features of a hypervisor: the data of MSR response 0x081 and SW_EXITINFO2 of 0x8000FFFD.
///
/// REFERENCE 2; bits 7 and 8 are unconfirmed and have no name.
package struct HypervisorFeatures: OptionSet, Hashable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static let snp = HypervisorFeatures(rawValue: 1 << 0)
    package static let apCreation = HypervisorFeatures(rawValue: 1 << 1)

    /// What KVM 6.12 answers every guest, SEV-SNP or not.
    package static let kvm: HypervisorFeatures = [.snp, .apCreation]

    /// The names of the bits that are set, in ascending order; `bit 7` for one without a name.
    package var names: [String] { Self.table.names(of: rawValue) }

    private static let table = BitNames([
        0: "SNP", 1: "SNP_AP_CREATION", 2: "RESTRICTED_INJECTION",
        3: "RESTRICTED_INJECTION_TIMER", 4: "APIC_ID_LIST", 5: "SNP_MULTI_VMPL",
        6: "PAGE_STATE_CHANGE", 9: "EXTENDED_INTERRUPTS",
    ])
}

/// `MSR_AMD64_SEV` (0xC0010131), by which a guest knows what it is; REFERENCE 8a.
package struct SEVStatus: OptionSet, Hashable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static let sev = SEVStatus(rawValue: 1 << 0)
    package static let sevES = SEVStatus(rawValue: 1 << 1)

    /// The names of the bits that are set, in ascending order; `bit 19` for one without a name.
    package var names: [String] { Self.table.names(of: rawValue) }

    private static let table = BitNames([
        0: "SEV", 1: "SEV_ES", 2: "SNP", 3: "VTOM", 4: "REFLECT_VC", 5: "RESTRICTED_INJECTION",
        6: "ALTERNATE_INJECTION", 7: "DEBUG_SWAP", 8: "PREVENT_HOST_IBS", 9: "BTB_ISOLATION",
        10: "VMPL_SSS", 11: "SECURE_TSC", 12: "VMGEXIT_PARAMETER", 13: "PMC_VIRTUALIZATION",
        14: "IBS_VIRTUALIZATION", 15: "GUEST_INTERCEPT_CONTROL", 16: "VMSA_REG_PROTECTION",
        17: "SMT_PROTECTION", 18: "SECURE_AVIC", 23: "IBPB_ON_ENTRY",
    ])
}

/// Names for the bits of a word.
struct BitNames: Sendable {
    let names: [Int: String]

    init(_ names: [Int: String]) { self.names = names }

    /// The names of the bits that are set, in ascending order; `bit 7` for one without a name.
    func names(of word: UInt64) -> [String] {
        (0..<64).filter { word >> UInt64($0) & 1 != 0 }.map { names[$0] ?? "bit \($0)" }
    }
}
