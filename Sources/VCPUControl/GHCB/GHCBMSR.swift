/// `MSR_AMD64_SEV_ES_GHCB` (0xC0010130), decoded: a page, a request or an answer.
///
/// Bits 11:0 are the GHCBInfo, bits 63:12 its data. Decoding keeps only the data that the info
/// defines. GHCB specification, "GHCB MSR protocol"; REFERENCE 2.
package enum GHCBMSR: Hashable, Sendable {
    /// Its number as an MSR: `MSR_AMD64_SEV_ES_GHCB`.
    package static let index: UInt32 = 0xc001_0130

    /// Info 0: the page protocol, with the GHCB at this address; 0 is no page.
    case page(GuestPhysicalAddress)
    case sevInfoResponse(maximum: UInt16, minimum: UInt16, cBit: UInt8)
    case sevInfoRequest
    /// Known from OpenVMM only, its data unconfirmed.
    case apJumpTable(data: UInt64)
    case cpuidRequest(function: UInt32, register: CPUIDRegister)
    case cpuidResponse(value: UInt32, register: CPUIDRegister)
    case apResetHoldRequest
    /// Not zero when a SIPI ended the hold.
    case apResetHoldResponse(result: UInt64)
    case preferredGPARequest
    /// A page frame number; all ones: none is preferred.
    case preferredGPAResponse(frame: UInt64)
    case registerGPARequest(frame: UInt64)
    /// The frame of the request, or all ones: refused.
    case registerGPAResponse(frame: UInt64)
    /// Operation 1 makes the page private, 2 shared.
    case pscRequest(operation: UInt8, frame: UInt64)
    /// 0: done.
    case pscResponse(error: UInt32)
    case vmplRequest(vmpl: UInt8)
    /// 0: done.
    case vmplResponse(error: UInt32)
    case hvFeaturesRequest
    case hvFeaturesResponse(HypervisorFeatures)
    case terminationRequest(TerminationReason)
    case unknown(info: UInt16, data: UInt64)

    /// A page frame number of 52 bits that stands for none.
    package static let noFrame: UInt64 = 1 << 52 - 1
}

/// The register that a CPUID request of the MSR protocol asks for, bits 31:30.
package enum CPUIDRegister: UInt8, CaseIterable, Sendable {
    case eax, ebx, ecx, edx
}

// MARK: - Codes

extension GHCBMSR {
    /// A value of bits 11:0.
    package enum Info: UInt16, CaseIterable, Sendable {
        case page = 0x000
        case sevInfoResponse = 0x001
        case sevInfoRequest = 0x002
        case apJumpTable = 0x003
        case cpuidRequest = 0x004
        case cpuidResponse = 0x005
        case apResetHoldRequest = 0x006
        case apResetHoldResponse = 0x007
        case preferredGPARequest = 0x010
        case preferredGPAResponse = 0x011
        case registerGPARequest = 0x012
        case registerGPAResponse = 0x013
        case pscRequest = 0x014
        case pscResponse = 0x015
        case vmplRequest = 0x016
        case vmplResponse = 0x017
        case hvFeaturesRequest = 0x080
        case hvFeaturesResponse = 0x081
        case terminationRequest = 0x100

        /// The name in the specification's short form.
        package var name: String {
            switch self {
            case .page: "GHCB_GPA"
            case .sevInfoResponse: "SEV_INFO_RESP"
            case .sevInfoRequest: "SEV_INFO_REQ"
            case .apJumpTable: "AP_JUMP_TABLE_REQ"
            case .cpuidRequest: "CPUID_REQ"
            case .cpuidResponse: "CPUID_RESP"
            case .apResetHoldRequest: "AP_RESET_HOLD_REQ"
            case .apResetHoldResponse: "AP_RESET_HOLD_RESP"
            case .preferredGPARequest: "PREF_GPA_REQ"
            case .preferredGPAResponse: "PREF_GPA_RESP"
            case .registerGPARequest: "REG_GPA_REQ"
            case .registerGPAResponse: "REG_GPA_RESP"
            case .pscRequest: "PSC_REQ"
            case .pscResponse: "PSC_RESP"
            case .vmplRequest: "VMPL_REQ"
            case .vmplResponse: "VMPL_RESP"
            case .hvFeaturesRequest: "HV_FT_REQ"
            case .hvFeaturesResponse: "HV_FT_RESP"
            case .terminationRequest: "TERM_REQ"
            }
        }

        /// Whether the hypervisor writes it: a guest that leaves it in the MSR asks for nothing.
        package var isResponse: Bool {
            switch self {
            case .sevInfoResponse, .cpuidResponse, .apResetHoldResponse, .preferredGPAResponse,
                .registerGPAResponse, .pscResponse, .vmplResponse, .hvFeaturesResponse:
                true
            default: false
            }
        }
    }

    /// Bits 11:0.
    package var info: UInt16 { UInt16(rawValue & 0xfff) }

    /// The name in the specification's short form; `UNKNOWN` where there is none.
    package var name: String { Info(rawValue: info)?.name ?? "UNKNOWN" }
}

// MARK: - Decoding and building

extension GHCBMSR: RawRepresentable {
    package init(rawValue msr: UInt64) {
        let data = msr >> 12
        let high = UInt32(truncatingIfNeeded: msr >> 32)
        let register = CPUIDRegister(rawValue: UInt8(msr >> 30 & 3)) ?? .eax
        self =
            switch Info(rawValue: UInt16(msr & 0xfff)) {
            case .page: .page(GuestPhysicalAddress(msr))
            case .sevInfoResponse:
                .sevInfoResponse(
                    maximum: UInt16(msr >> 48), minimum: UInt16(truncatingIfNeeded: msr >> 32),
                    cBit: UInt8(truncatingIfNeeded: msr >> 24))
            case .sevInfoRequest: .sevInfoRequest
            case .apJumpTable: .apJumpTable(data: data)
            case .cpuidRequest: .cpuidRequest(function: high, register: register)
            case .cpuidResponse: .cpuidResponse(value: high, register: register)
            case .apResetHoldRequest: .apResetHoldRequest
            case .apResetHoldResponse: .apResetHoldResponse(result: data)
            case .preferredGPARequest: .preferredGPARequest
            case .preferredGPAResponse: .preferredGPAResponse(frame: data)
            case .registerGPARequest: .registerGPARequest(frame: data)
            case .registerGPAResponse: .registerGPAResponse(frame: data)
            case .pscRequest:
                .pscRequest(operation: UInt8(data >> 40 & 0xf), frame: data & (1 << 40 - 1))
            case .pscResponse: .pscResponse(error: high)
            case .vmplRequest: .vmplRequest(vmpl: UInt8(truncatingIfNeeded: high))
            case .vmplResponse: .vmplResponse(error: high)
            case .hvFeaturesRequest: .hvFeaturesRequest
            case .hvFeaturesResponse: .hvFeaturesResponse(HypervisorFeatures(rawValue: data))
            case .terminationRequest:
                .terminationRequest(
                    TerminationReason(
                        set: UInt8(data & 0xf), code: UInt8(truncatingIfNeeded: data >> 4)))
            case nil: .unknown(info: UInt16(msr & 0xfff), data: data)
            }
    }

    /// The value of the MSR; data that is too wide for its field is cut.
    package var rawValue: UInt64 {
        switch self {
        case .page(let address): address.page.rawValue
        case .sevInfoResponse(let maximum, let minimum, let cBit):
            UInt64(maximum) << 48 | UInt64(minimum) << 32 | UInt64(cBit) << 24
                | Self.code(.sevInfoResponse)
        case .sevInfoRequest: Self.code(.sevInfoRequest)
        case .apJumpTable(let data): data << 12 | Self.code(.apJumpTable)
        case .cpuidRequest(let function, let register):
            UInt64(function) << 32 | UInt64(register.rawValue) << 30 | Self.code(.cpuidRequest)
        case .cpuidResponse(let value, let register):
            UInt64(value) << 32 | UInt64(register.rawValue) << 30 | Self.code(.cpuidResponse)
        case .apResetHoldRequest: Self.code(.apResetHoldRequest)
        case .apResetHoldResponse(let result): result << 12 | Self.code(.apResetHoldResponse)
        case .preferredGPARequest: Self.code(.preferredGPARequest)
        case .preferredGPAResponse(let frame): frame << 12 | Self.code(.preferredGPAResponse)
        case .registerGPARequest(let frame): frame << 12 | Self.code(.registerGPARequest)
        case .registerGPAResponse(let frame): frame << 12 | Self.code(.registerGPAResponse)
        case .pscRequest(let operation, let frame):
            UInt64(operation & 0xf) << 52 | (frame & (1 << 40 - 1)) << 12 | Self.code(.pscRequest)
        case .pscResponse(let error): UInt64(error) << 32 | Self.code(.pscResponse)
        case .vmplRequest(let vmpl): UInt64(vmpl) << 32 | Self.code(.vmplRequest)
        case .vmplResponse(let error): UInt64(error) << 32 | Self.code(.vmplResponse)
        case .hvFeaturesRequest: Self.code(.hvFeaturesRequest)
        case .hvFeaturesResponse(let features):
            features.rawValue << 12 | Self.code(.hvFeaturesResponse)
        case .terminationRequest(let reason):
            UInt64(reason.code) << 16 | UInt64(reason.set & 0xf) << 12
                | Self.code(.terminationRequest)
        case .unknown(let info, let data): data << 12 | UInt64(info & 0xfff)
        }
    }

    private static func code(_ info: Info) -> UInt64 { UInt64(info.rawValue) }
}

// MARK: - In words

extension GHCBMSR {
    /// The value in one line: `CPUID_REQ 0x80000000 eax`, `GHCB_GPA 0x1008000`.
    package var summary: String { ([name] + details).joined(separator: " ") }

    /// What the data bits say.
    var details: [String] {
        switch self {
        case .page(let address): [address.rawValue.hex]
        case .sevInfoResponse(let maximum, let minimum, let cBit):
            ["versions \(minimum)-\(maximum),", "C-bit \(cBit)"]
        case .apJumpTable(let data), .unknown(_, let data): [data.hex]
        case .cpuidRequest(let function, let register): [function.hex, "\(register)"]
        case .cpuidResponse(let value, let register): ["\(register)=0x\(value.hexDigits(8))"]
        case .apResetHoldResponse(let result): [result == 0 ? "no SIPI" : "SIPI"]
        case .preferredGPAResponse(let frame), .registerGPARequest(let frame),
            .registerGPAResponse(let frame):
            [frame == Self.noFrame ? "none" : (frame << 12).hex]
        case .pscRequest(let operation, let frame):
            [(frame << 12).hex, Self.operationName(operation)]
        case .pscResponse(let error), .vmplResponse(let error):
            [error == 0 ? "ok" : "error " + error.hex]
        case .vmplRequest(let vmpl): ["VMPL\(vmpl)"]
        case .hvFeaturesResponse(let features):
            [features.rawValue.hex, "(" + Self.list(features.names) + ")"]
        case .terminationRequest(let reason): [reason.text]
        case .sevInfoRequest, .apResetHoldRequest, .preferredGPARequest, .hvFeaturesRequest: []
        }
    }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "none" : names.joined(separator: ", ")
    }

    private static func operationName(_ operation: UInt8) -> String {
        switch operation {
        case 1: "private"
        case 2: "shared"
        default: "operation \(operation)"
        }
    }
}
