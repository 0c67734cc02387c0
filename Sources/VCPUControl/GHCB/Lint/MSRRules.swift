/// What is wrong with a value of the GHCB MSR by itself.
struct MSRRules: Sendable {
    let value: UInt64
    let vm: Linter.VM

    private var info: UInt16 { UInt16(value & 0xfff) }
    private var known: GHCBMSR.Info? { GHCBMSR.Info(rawValue: info) }

    /// Whether the low bits are an answer's.
    var isResponse: Bool { known?.isResponse ?? false }

    /// Whether it is something that a guest asks for.
    var isRequest: Bool { !isResponse && !isMisalignedAddress }

    /// Whether it asks for termination, and can be nothing else.
    var isTermination: Bool { known == .terminationRequest && !isMisalignedAddress }

    /// Whether it is no request, or one with data where the request has none: an address then.
    var isMisalignedAddress: Bool {
        let data = value >> 12
        switch known {
        case .sevInfoRequest, .apJumpTable, .apResetHoldRequest, .preferredGPARequest,
            .hvFeaturesRequest:
            return data != 0
        // Bits 29:12 are reserved; a function in the high half is no address.
        case .cpuidRequest: return value >> 32 == 0 && data & 0x3ffff != 0
        case .vmplRequest: return value & ~0xff_0000_0fff != 0
        case .terminationRequest: return value >> 24 != 0
        case nil: return !(Self.vendorInfos.contains(info) && data == 0)
        default: return false
        }
    }

    /// Hyper-V's own requests; OpenVMM.
    private static let vendorInfos: ClosedRange<UInt16> = 0xf00...0xf03

    /// The value as an address that is none.
    var misalignment: Breach {
        let reading =
            known.map { "KVM reads it as \($0.name)" } ?? "no request has the code \(info.hex)"
        return Breach(
            .misalignedGHCB,
            "the GHCB MSR is \(value.hex), low 12 bits \(info.hex): \(reading)")
    }

    /// What is wrong with the value as a request that the guest makes.
    var requestBreaches: [Breach] {
        let request = "MSR request \(info.hex) (\(known?.name ?? "vendor"), MSR \(value.hex))"
        switch known {
        case .preferredGPARequest, .registerGPARequest, .pscRequest:
            return [Breach(.msrRequestKillsES, request + " belongs to SEV-SNP")]
        case .vmplRequest: return [Breach(.snpOnlyEvent, request + " belongs to SEV-SNP")]
        case .cpuidRequest where value >> 32 == 0xd:
            return [Breach(.msrCPUIDLeaf, request + " asks for leaf 0xd")]
        case .apResetHoldRequest, .hvFeaturesRequest:
            guard vm.behaviour.specifies(.version2Events), vm.ghcbVersion < 2 else { return [] }
            return [Breach(.unknownEvent, request + " is of version 2; the VM offers version 1")]
        case .apJumpTable, nil:
            return [Breach(.unknownEvent, request + " is none that the protocol defines")]
        default: return []
        }
    }
}
