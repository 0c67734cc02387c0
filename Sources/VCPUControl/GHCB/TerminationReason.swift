/// The reason set and code of a termination request; REFERENCE 2.
package struct TerminationReason: Hashable, Sendable {
    /// 0…15; see `owner`.
    package var set: UInt8
    package var code: UInt8

    package init(set: UInt8, code: UInt8) {
        self.set = set
        self.code = code
    }

    /// SW_EXITINFO1 of event 0x8000FFFE: set in bits 3:0, code in bits 11:4.
    package init(exitInfo1: UInt64) {
        self.init(
            set: UInt8(exitInfo1 & 0xf), code: UInt8(truncatingIfNeeded: exitInfo1 >> 4))
    }

    /// What the reason means; `nil` where no source says.
    package var meaning: String? {
        let meanings =
            switch set {
            case 0: Self.general
            case 1: Self.linux
            case 3: Self.veriSMo
            case 15: Self.linuxSVSM
            default: [String]()
            }
        return Int(code) < meanings.count ? meanings[Int(code)] : nil
    }

    /// Who defines the set: `specification`, `Linux`, `VeriSMo`, `linux-svsm` or `vendor`.
    ///
    /// OVMF and COCONUT-SVSM use set 0 only.
    package var owner: String {
        switch set {
        case 0: "specification"
        case 1: "Linux"
        case 3: "VeriSMo"
        case 15: "linux-svsm"
        default: "vendor"
        }
    }

    /// `set 0 code 1: protocol range unsupported`.
    package var text: String {
        "set \(set) code \(code)" + (meaning.map { ": " + $0 } ?? "")
    }

    private static let general = [
        "general request", "protocol range unsupported", "SNP features unsupported",
    ]
    private static let linux = [
        "GHCB registration", "page state change", "PVALIDATE", "not VMPL0", "CPUID",
        "CPUID via the hypervisor", "secrets page", "no SVSM", "SVSM at VMPL0", "SVSM CAA",
        // Later than 6.12.
        "Secure TSC", "SVSM CA not remapped", "Secure AVIC",
    ]
    /// microsoft/verismo and microsoft/litebox, as far as they agree.
    private static let veriSMo = [
        "general", "not VMPL0", "unhandled #VC", "page state change", "page attributes", "no GHCB",
        "invalid GHCB response", "invalid parameter", "PVALIDATE",
    ]
    /// AMDESE/linux-svsm.
    private static let linuxSVSM = [
        "SVSM general", "SVSM out of memory", "SVSM unhandled #VC", "SVSM page state change",
        "SVSM page table", "SVSM no GHCB", "SVSM invalid GHCB response", "SVSM fw_cfg",
        "SVSM BIOS format", "SVSM not VMPL0", "SVSM SEV_FEATURES of VMPL0", "SVSM incorrect VMPL",
        "SVSM SEV_FEATURES of VMPL1",
    ]
}
