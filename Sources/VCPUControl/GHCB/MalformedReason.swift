/// Why the hypervisor calls a request malformed: SW_EXITINFO2 where SW_EXITINFO1 is 2.
///
/// GHCB specification, "invalid request" codes; asm/sev-common.h; REFERENCE 3c.
package enum MalformedReason: UInt64, CaseIterable, Sendable {
    case notRegistered = 1
    case invalidUsage, invalidScratchArea, missingInput, invalidInput, invalidEvent

    /// The name in the kernel's headers.
    package var name: String {
        switch self {
        case .notRegistered: "NOT_REGISTERED"
        case .invalidUsage: "INVALID_USAGE"
        case .invalidScratchArea: "INVALID_SCRATCH_AREA"
        case .missingInput: "MISSING_INPUT"
        case .invalidInput: "INVALID_INPUT"
        case .invalidEvent: "INVALID_EVENT"
        }
    }

    /// The same in plain words.
    package var words: String {
        switch self {
        case .notRegistered: "GHCB not registered"
        case .invalidUsage: "invalid usage"
        case .invalidScratchArea: "invalid scratch area"
        case .missingInput: "missing input"
        case .invalidInput: "invalid input"
        case .invalidEvent: "invalid event"
        }
    }
}
