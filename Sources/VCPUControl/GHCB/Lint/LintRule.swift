/// A rule that a guest's use of the GHCB is held against: one row of DESIGN 6.
///
/// The raw value is the id that users see. Where the specification says so stands in `spec`, by the
/// title of its chapter or table; what to do about a finding stands in `advice`.
package enum LintRule: String, CaseIterable, Sendable {
    case missingInput = "missing-input"
    case cpuidNeedsXCR0 = "cpuid-needs-xcr0"
    case cpuidNeedsXSS = "cpuid-needs-xss"
    case usageNonzero = "usage-nonzero"
    case unknownEvent = "unknown-event"
    case snpOnlyEvent = "snp-only-event"
    case invalidInput = "invalid-input"
    case unhandledByKVM = "unhandled-by-kvm"
    case ghcbUnset = "ghcb-unset"
    case misalignedGHCB = "misaligned-ghcb"
    case ghcbNotShared = "ghcb-not-shared"
    case sharedBetweenVCPUs = "shared-between-vcpus"
    case staleMSR = "stale-msr"
    case msrRequestKillsES = "msr-request-kills-es"
    case msrCPUIDLeaf = "msr-cpuid-leaf"
    case scratchOutsideBuffer = "scratch-outside-buffer"
    case mmioTooLong = "mmio-too-long"
    case versionUnsupported = "version-unsupported"
    case registersNotPreserved = "registers-not-preserved"
    case responseIgnored = "response-ignored"
    case staleRequest = "stale-request"
    case unexpectedValid = "unexpected-valid"
    case vcFrameCorrupt = "vc-frame-corrupt"
    case terminateWithoutVMGEXIT = "terminate-without-vmgexit"
    case ucallFallsThrough = "ucall-falls-through"
    case undefinedAnswer = "undefined-answer"
    case pageNotTaken = "page-not-taken"

    /// How much a finding weighs; only errors count for the exit status.
    package enum Severity: String, Sendable {
        case error, warning, note
    }

    package var id: String { rawValue }
    package var severity: Severity { row.severity }
    /// When the rule fires, in one sentence.
    package var explanation: String { row.fires }
    /// What to do about it: the end of every message of the rule.
    package var advice: String { row.advice }
    /// Where the specification says so, by title.
    package var spec: String { row.spec }

    /// The rule of an id; `nil` for a word that is none.
    package init?(id: String) { self.init(rawValue: id) }
}

// MARK: - The table

extension LintRule {
    private struct Row {
        let severity: Severity
        let fires: String
        let advice: String
        let spec: String
    }

    private static let layout = #"GHCB specification, "GHCB layout""#
    private static let events = #"GHCB specification, "NAE events""#
    private static let msrProtocol = #"GHCB specification, "GHCB MSR protocol""#
    private static let versions = #"GHCB specification, "GHCB protocol version""#
    private static let kernel = "Linux 6.12, arch/x86/kvm/svm/sev.c"

    private var row: Row {
        switch self {
        case .missingInput:
            Row(
                severity: .error,
                fires: "a field that the event needs is not valid in the bitmap",
                advice: "write the field and set its bit in VALID_BITMAP", spec: Self.events)
        case .cpuidNeedsXCR0:
            Row(
                severity: .error, fires: "CPUID leaf 0xd without XCR0",
                advice: "pass XCR0 (XGETBV, or 1 before CR4.OSXSAVE is set) with its valid bit",
                spec: Self.events + ", CPUID")
        case .cpuidNeedsXSS:
            Row(
                severity: .warning,
                fires: "CPUID leaf 0xd without XSS, in version 2, where the VM has XSS",
                advice: "pass MSR 0xda0 (XSS) with its valid bit", spec: Self.events + ", CPUID")
        case .usageNonzero:
            Row(
                severity: .error, fires: "GHCB_USAGE is not 0",
                advice: "write 0, the standard format, to offset 0xffc", spec: Self.layout)
        case .unknownEvent:
            Row(
                severity: .error, fires: "a code that no list of events or requests has",
                advice: "use a code that the protocol defines", spec: Self.events)
        case .snpOnlyEvent:
            Row(
                severity: .error, fires: "an event of SEV-SNP in an SEV-ES VM",
                advice: "make this request in SEV-SNP guests only", spec: Self.events)
        case .invalidInput:
            Row(
                severity: .error, fires: "an operation or value that the event does not define",
                advice: "pass a value that the event defines", spec: Self.events)
        case .unhandledByKVM:
            Row(
                severity: .error,
                fires: "a legal event with which KVM ends the VM, or faults the guest",
                advice: "do without this VMGEXIT under KVM", spec: Self.kernel)
        case .ghcbUnset:
            Row(
                severity: .error,
                fires: "a page VMGEXIT while the GHCB MSR names no page of the guest's RAM",
                advice: "write the GHCB's guest physical address to MSR 0xc0010130 first",
                spec: Self.msrProtocol)
        case .misalignedGHCB:
            Row(
                severity: .error,
                fires: "an address that is not page-aligned goes for a request of the MSR protocol",
                advice: "align every GHCB to 4096 bytes", spec: Self.msrProtocol)
        case .ghcbNotShared:
            Row(
                severity: .error, fires: "the guest uses its GHCB through a private mapping",
                advice: "clear the C-bit in the page's mapping and flush the TLB before filling it",
                spec: #"GHCB specification, "Establishing the GHCB""#)
        case .sharedBetweenVCPUs:
            Row(
                severity: .error, fires: "two vCPUs have the same GHCB",
                advice: "give each vCPU a page of its own",
                spec: #"GHCB specification, "Establishing the GHCB""#)
        case .staleMSR:
            Row(
                severity: .error,
                fires: "VMGEXIT while the MSR still holds the hypervisor's last answer",
                advice: "write the GHCB's address to the MSR again after each MSR request",
                spec: Self.msrProtocol)
        case .msrRequestKillsES:
            Row(
                severity: .error,
                fires: "an MSR request of SEV-SNP, for which KVM ends an SEV-ES VM",
                advice: "make it in SEV-SNP guests only (MSR 0xc0010131, bit 2)", spec: Self.kernel)
        case .msrCPUIDLeaf:
            Row(
                severity: .error, fires: "CPUID leaf 0xd through the MSR protocol",
                advice: "ask through the page, with RCX and XCR0",
                spec: Self.msrProtocol + ", CPUID")
        case .scratchOutsideBuffer:
            Row(
                severity: .error, fires: "the scratch area is not where the version allows it",
                advice: "use the shared buffer, bytes 0x800-0xfef of the GHCB",
                spec: Self.layout + ", SW_SCRATCH")
        case .mmioTooLong:
            Row(
                severity: .error, fires: "MMIO of more than 8 bytes in version 2",
                advice: "split the access into parts of at most 8 bytes",
                spec: Self.events + ", MMIO")
        case .versionUnsupported:
            Row(
                severity: .warning,
                fires: "PROTOCOL_VERSION is 0, or above what the VM offers",
                advice: "write a version that SEV_INFO offers to offset 0xffa", spec: Self.versions)
        case .registersNotPreserved:
            Row(
                severity: .error,
                fires:
                    "an argument register, or the stack's alignment, is not at the entry what the"
                    + " host set",
                advice: "save and restore what the GHCB setup uses before the jump",
                spec: "Linux selftests, vcpu_args_set")
        case .responseIgnored:
            Row(
                severity: .warning,
                fires: "the guest did not read SW_EXITINFO1 although it was not 0",
                advice: "check SW_EXITINFO1 after each VMGEXIT",
                spec: #"GHCB specification, "SW_EXITINFO1""#)
        case .staleRequest:
            Row(
                severity: .warning,
                fires: "a field that the event does not need is valid since the last exchange",
                advice: "clear VALID_BITMAP before filling in a request", spec: Self.layout)
        case .unexpectedValid:
            Row(
                severity: .warning,
                fires: "a field that the event does not need is valid",
                advice: "mark only what the event needs: the hypervisor sees the rest for nothing",
                spec: Self.events)
        case .vcFrameCorrupt:
            Row(
                severity: .error,
                fires: "IRET from a #VC handler takes the error code for RIP",
                advice: "#VC (vector 29) pushes an error code: drop 8 bytes before IRET",
                spec: "APM volume 2, 15.35.5, #VC exception")
        case .terminateWithoutVMGEXIT:
            Row(
                severity: .error, fires: "a termination request that no VMGEXIT follows",
                advice: "execute VMGEXIT after the WRMSR", spec: Self.msrProtocol + ", termination")
        case .ucallFallsThrough:
            Row(
                severity: .error,
                fires: "IN from the ucall port 0x1000 right after a ucall's string OUT",
                advice: "return after the string OUT: the host has the pointer",
                spec: "Linux selftests, lib/x86/ucall.c")
        case .undefinedAnswer:
            Row(
                severity: .error,
                fires: "the hypervisor answers with SW_EXITINFO1 other than 0, 1 and 2",
                advice: "the hypervisor has to clear SW_EXITINFO1 where the event succeeds",
                spec: #"GHCB specification, "SW_EXITINFO1""#)
        case .pageNotTaken:
            Row(
                severity: .error,
                fires: "the hypervisor resumes the guest without having taken its request page",
                advice: "the hypervisor has to use the page that the GHCB MSR names at the VMGEXIT",
                spec: #"GHCB specification, "Establishing the GHCB""#)
        }
    }
}
