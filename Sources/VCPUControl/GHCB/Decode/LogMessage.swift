/// A line that KVM, its tracepoints or a guest prints about the GHCB.
///
/// The texts are those of Linux 6.12, arch/x86/kvm/svm/sev.c, svm.c and trace.h, with what older
/// and newer kernels write in their place; the last ones are COCONUT-SVSM's.
enum LogMessage: String, CaseIterable, Sendable {
    case invalidUsage = "invalid-usage"
    case invalidInput = "invalid-input"
    case invalidEvent = "invalid-event"
    case unsupportedEvent = "unsupported-event"
    case noGHCB = "ghcb-not-set"
    case unmappableGHCB = "ghcb-not-mappable"
    case unregisteredGHCB = "ghcb-not-registered"
    case noScratch = "scratch-missing"
    case wrappingScratch = "scratch-wraps"
    case misplacedScratch = "scratch-outside-buffer"
    case longScratch = "scratch-too-long"
    case unreadableScratch = "scratch-unreadable"
    case jumpTableOperation = "ap-jump-table-operation"
    case apCreation = "ap-creation"
    case msrTermination = "termination-msr"
    case pageTermination = "termination-page"
    case unexpectedExit = "unexpected-exit"
    case dumpHead = "dump"
    case dumpCode = "dump-sw-exit-code"
    case dumpInfo1 = "dump-sw-exit-info-1"
    case dumpInfo2 = "dump-sw-exit-info-2"
    case dumpScratch = "dump-sw-scratch"
    case dumpBitmap = "dump-valid-bitmap"
    case traceEnter = "vmgexit-enter"
    case traceExit = "vmgexit-exit"
    case traceMSREnter = "vmgexit-msr-protocol-enter"
    case traceMSRExit = "vmgexit-msr-protocol-exit"
    case vmgexitError = "vmgexit-error"
    case missingFeatures = "missing-features"

    /// The ways in which it is written.
    var patterns: [LinePattern] { Self.table[self] ?? [] }

    private static let table: [LogMessage: [LinePattern]] = [
        .invalidUsage: [.init("vmgexit: ghcb usage %x is not valid")],
        .invalidInput: [.init("vmgexit: exit code %x input is not valid")],
        .invalidEvent: [
            .init("vmgexit: exit code %x is not valid"),
            .init("vmgexit: exit reason %x is not valid"),
        ],
        .unsupportedEvent: [
            .init("vmgexit: unsupported event - exit_info_1=%x, exit_info_2=%x")
        ],
        .noGHCB: [.init("vmgexit: GHCB gpa is not set")],
        .unmappableGHCB: [.init("vmgexit: error mapping GHCB [%x] from guest")],
        .unregisteredGHCB: [
            .init("vmgexit: GHCB GPA [%x] is not registered."),
            .init("vmgexit: GHCB GPA [%x] is not registered"),
        ],
        .noScratch: [.init("vmgexit: scratch gpa not provided")],
        .wrappingScratch: [
            .init("vmgexit: scratch length (%x) not valid for scratch address (%x)")
        ],
        .misplacedScratch: [
            .init("vmgexit: scratch area is outside of GHCB shared buffer area (%x - %x)")
        ],
        .longScratch: [
            .init("vmgexit: scratch area exceeds KVM limits (%x requested, %x limit)")
        ],
        .unreadableScratch: [.init("vmgexit: kvm_read_guest for scratch area failed")],
        .jumpTableOperation: [
            .init("vmgexit: unsupported AP jump table request - exit_info_1=%x")
        ],
        .apCreation: [
            .init("vmgexit: invalid AP APIC ID [%x] from guest"),
            .init("vmgexit: invalid AP injection mode [%x] from guest"),
            .init("vmgexit: invalid AP VMSA address [%x] from guest"),
            .init("vmgexit: AP VMSA address [%h] from guest is unsafe as it is 2M aligned"),
            .init("vmgexit: invalid AP creation request [%x] from guest"),
        ],
        .msrTermination: [.init("SEV-ES guest requested termination: %x:%x")],
        .pageTermination: [.init("SEV-ES guest requested termination: reason %x info %x")],
        .unexpectedExit: [.init("svm: unexpected exit reason %x")],
        .dumpHead: [.init("GHCB (GPA=%h):"), .init("GHCB (GPA=%h) snapshot:")],
        .dumpCode: [.init("sw_exit_code %h is_valid: %d")],
        .dumpInfo1: [.init("sw_exit_info_1 %h is_valid: %d")],
        .dumpInfo2: [.init("sw_exit_info_2 %h is_valid: %d")],
        .dumpScratch: [.init("sw_scratch %h is_valid: %d")],
        .dumpBitmap: [.init("valid_bitmap %b")],
        .traceEnter: [
            .init("kvm_vmgexit_enter: vcpu %d, exit_reason %h, exit_info1 %h, exit_info2 %h")
        ],
        .traceExit: [
            .init("kvm_vmgexit_exit: vcpu %d, exit_reason %h, exit_info1 %h, exit_info2 %h")
        ],
        .traceMSREnter: [.init("kvm_vmgexit_msr_protocol_enter: vcpu %d, ghcb_gpa %h")],
        .traceMSRExit: [
            .init("kvm_vmgexit_msr_protocol_exit: vcpu %d, ghcb_gpa %h, result %d")
        ],
        .vmgexitError: [.init("VmgexitError(%d, %d)", isWhole: false)],
        .missingFeatures: [
            .init("features not available: present=%x, required=%x, missing=%x"),
            .init("HV features: present=%x required=%x missing=%x"),
        ],
    ]
}
