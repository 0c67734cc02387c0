/// A place where KVM 6.12 and the GHCB specification do not agree: one row of the table.
///
/// These are all that an SEV-ES guest can meet; REFERENCE 2, 3 and 4. Where the specification is
/// silent, both behaviours do what KVM does, and there is no row.
package enum KVMDifference: String, CaseIterable, Sendable {
    case rdtsc
    case rdtscp
    case rdpmcFault = "rdpmc-fault"
    case dr7
    case unsupportedEvent = "unsupported-event"
    case cpuidXSS = "cpuid-xss"
    case cpuidLeafWidth = "cpuid-leaf-width"
    case msrOperation = "msr-operation"
    case transferSize = "transfer-size"
    case stringLength = "string-length"
    case scratchLimit = "scratch-limit"
    case scratchNoRAM = "scratch-no-ram"
    case returnedRegisters = "returned-registers"
    case version2Events = "version-2-events"
    case hvFeatures = "hv-features"
    case protocolVersion = "protocol-version"
    case firstSIPI = "first-sipi"
    case snpEvents = "snp-events"
    case snpMSRRequests = "snp-msr-requests"
    case msrCPUIDLeaf = "msr-cpuid-leaf"

    /// Names the row.
    package var id: String { rawValue }
    /// What the specification says.
    package var specification: String { row.specification }
    /// What KVM 6.12 does instead; the sentence goes on behind "KVM".
    package var kvm: String { row.kvm }

    private var row: (specification: String, kvm: String) {
        switch self {
        case .rdtsc:
            (
                "event 0x6e (RDTSC) returns the TSC in RDX:RAX",
                "has no handler for it: KVM_EXIT_INTERNAL_ERROR ends the VM"
            )
        case .rdtscp:
            (
                "event 0x87 (RDTSCP) returns the TSC in RDX:RAX, and TSC_AUX in RCX",
                "injects #UD, with SW_EXITINFO1 = 0"
            )
        case .rdpmcFault:
            (
                "an RDPMC that fails is answered with SW_EXITINFO1 = 1 and #GP",
                "injects #GP, with SW_EXITINFO1 = 0"
            )
        case .dr7:
            (
                "events 0x27 and 0x37 read and write DR7",
                "returns no value and drops the write"
            )
        case .unsupportedEvent:
            (
                "event 0x8000ffff tells of an exit that the guest does not support",
                "fails KVM_RUN with EINVAL"
            )
        case .cpuidXSS:
            (
                "version 2 needs XSS with CPUID leaf 0xd, where the VM has XSS",
                "neither needs nor reads XSS"
            )
        case .cpuidLeafWidth:
            (
                "the leaf of CPUID is EAX",
                "asks for XCR0 only where all 64 bits of RAX are 0xd"
            )
        case .msrOperation:
            (
                "SW_EXITINFO1 of the MSR event is 0 or 1",
                "takes every value but 0 for a write"
            )
        case .transferSize:
            (
                "a port access has 1, 2 or 4 bytes, an MMIO access at least one",
                "takes 3, 5, 6 and 7 at ports, and does nothing where the size is 0"
            )
        case .stringLength:
            (
                "string data that does not fit its scratch area is INVALID_SCRATCH_AREA",
                "fails KVM_RUN with EINVAL above INT_MAX bytes"
            )
        case .scratchLimit:
            (
                "version 1 sets no limit to scratch outside the page",
                "allows 64 KiB"
            )
        case .scratchNoRAM:
            (
                "scratch where no RAM is, in version 1, is INVALID_SCRATCH_AREA",
                "fails KVM_RUN with EFAULT"
            )
        case .returnedRegisters:
            (
                "an event returns the fields of its row",
                "marks RAX, RBX, RCX and RDX valid after every event"
            )
        case .version2Events:
            (
                "0x8000fffd, 0x8000fffe and MSR requests 0x006 and 0x080 are of version 2",
                "answers them in every VM"
            )
        case .hvFeatures:
            (
                "the feature bitmap says what the VM can use",
                "is 0x3 (SNP, SNP_AP_CREATION) for SEV-ES guests too"
            )
        case .protocolVersion:
            (
                "PROTOCOL_VERSION is a version that the VM offers",
                "never reads it"
            )
        case .firstSIPI:
            (
                "an AP reset hold that a SIPI ends has a result other than 0",
                "answers the first SIPI of a vCPU with 0: it starts from its launch state"
            )
        case .snpEvents:
            (
                "events of SEV-SNP are invalid events for other guests",
                "0x80000010-0x80000013 fail with MISSING_INPUT"
            )
        case .snpMSRRequests:
            (
                "MSR requests 0x010, 0x012 and 0x014 are for SEV-SNP guests",
                "ends an SEV-ES VM that makes one"
            )
        case .msrCPUIDLeaf:
            (
                "leaf 0xd must not be asked through the MSR",
                "answers it with ECX = 0"
            )
        }
    }
}
