import Testing
import VCPUControl

@Suite("Rules for one request page")
struct PageRuleTests {
    /// A request, the version of the VM, and the one rule that it breaks.
    struct Breach: Sendable {
        let page: GHCBPage
        var version = 2
        let rule: LintRule?
        /// What the message has to say.
        var says = ""
    }

    private static let cpuid = GHCBPage.correct(.cpuid, 0, 0, [.rax: 1, .rcx: 0])
    private static let state = GHCBPage.correct(.cpuid, 0, 0, [.rax: 0xd, .rcx: 1, .xcr0: 3])
    private static let scratch: [GHCBField: UInt64] = [.swScratch: 0x10800]

    /// A correct request over bytes that were there before.
    private static func uncleared(_ byte: (Int) -> UInt8) -> GHCBPage {
        var page = GHCBPage((0..<4096).map(byte)) ?? GHCBPage()
        for field in [GHCBField.swExitCode, .swExitInfo1, .swExitInfo2, .rax, .rcx] {
            page.set(field, to: cpuid.raw(field))
        }
        return page
    }

    static let breaches: [Breach] = [
        Breach(page: cpuid, rule: nil),
        Breach(page: cpuid.without(.rcx), rule: .missingInput, says: "CPUID (0x72): RCX is"),
        Breach(page: cpuid.without(.swExitCode), rule: .missingInput, says: "SW_EXITCODE"),
        Breach(page: cpuid.without(.swExitInfo2), rule: .missingInput, says: "SW_EXITINFO2"),
        Breach(
            page: cpuid.without(.rax).without(.rcx), rule: .missingInput, says: "RAX, RCX are not"),
        Breach(
            page: .correct(.msr, 1, 0, [.rcx: 0x10, .rax: 1]), rule: .missingInput, says: "RDX"),
        Breach(page: .correct(.vmmcall, 0, 0, [.rax: 1]), rule: .missingInput, says: "CPL"),
        Breach(page: .correct(.ioio, 0x3f8_0210), rule: .missingInput, says: "RAX"),
        Breach(page: .correct(.mmioRead, 0xfe00_0000, 4), rule: .missingInput, says: "SW_SCRATCH"),
        // Whether it reads or writes nobody can say: one error.
        Breach(
            page: .correct(.msr, 0, 0, [.rcx: 0x10, .rax: 1, .rdx: 0]).without(.swExitInfo1),
            rule: .missingInput, says: "SW_EXITINFO1"),
        // Values in the places of each other: one error.
        Breach(
            page: .correct(.cpuid, 0, 0, [.rax: 1, .rbx: 0]), rule: .missingInput, says: "RCX"),
        Breach(
            page: .correct(.cpuid, 0, 0, [.rax: 1, .rdx: 7]), rule: .missingInput,
            says: "RCX is not valid in VALID_BITMAP, but RDX (0x7) is: RCX, RDX and RBX are at"),
        // A page that nobody has written to has no version either.
        Breach(
            page: GHCBPage(), rule: .missingInput,
            says: "and the page is all zero: the request was written elsewhere"),
        Breach(page: state, rule: nil),
        Breach(page: state.without(.xcr0), rule: .cpuidNeedsXCR0, says: "0xd"),
        Breach(page: cpuid.with(.ghcbUsage, 1), rule: .usageNonzero, says: "0x1"),
        Breach(
            page: GHCBPage().with(.ghcbUsage, 2), rule: .usageNonzero, says: "GHCB_USAGE is 0x2"),
        // What was in the page before, version and bitmap included: one error.
        Breach(
            page: uncleared { _ in 0x61 }, rule: .usageNonzero,
            says: "GHCB_USAGE is 0x61616161: what the page held before"),
        Breach(
            page: uncleared { UInt8(truncatingIfNeeded: $0 &* 37 ^ $0 >> 3) }, rule: .usageNonzero,
            says: "ciphertext, the page was not cleared after its C-bit was"),
        Breach(
            page: cpuid.with(.ghcbUsage, 0xff).with(.protocolVersion, 1), rule: .usageNonzero,
            says: "GHCB_USAGE is 0xff; write 0"),
        Breach(page: .correct(.init(0x1234)), rule: .unknownEvent, says: "0x1234"),
        Breach(page: .correct(.init(0x73), 0, 0, [.r8: 7]), rule: .unknownEvent, says: "RSM"),
        Breach(page: .correct(.init(0x8000_0019)), rule: .unknownEvent, says: "0x80000019"),
        Breach(page: .correct(.psc, 0, 0, scratch), rule: .snpOnlyEvent, says: "PSC"),
        Breach(page: .correct(.apCreation), rule: .snpOnlyEvent, says: "AP_CREATION"),
        Breach(page: .correct(.runVMPL), rule: .snpOnlyEvent, says: "0x80000018"),
        Breach(page: .correct(.hvFeatures), version: 1, rule: nil),
        Breach(page: .correct(.rdtsc), rule: .unhandledByKVM, says: "RDTSC (0x6e)"),
        Breach(page: .correct(.rdtscp), rule: .unhandledByKVM, says: "#UD"),
        Breach(page: .correct(.unsupported, 0x73), rule: .unhandledByKVM, says: "EINVAL"),
        Breach(page: .correct(.apJumpTable, 2), rule: .invalidInput, says: "0x2, neither"),
        Breach(page: .correct(.apJumpTable, 1), rule: nil),
        Breach(
            page: .correct(.msr, 2, 0, [.rcx: 0x10, .rax: 1, .rdx: 0]), rule: .invalidInput,
            says: "MSR (0x7c): SW_EXITINFO1 is 0x2"),
        Breach(
            page: .correct(.msr, 0, 0, [.rcx: 0x10, .rax: 1, .rdx: 2]), rule: .invalidInput,
            says: "a read, with 0x200000001 in RDX:RAX"),
        Breach(page: .correct(.ioio, 0x3f8_0231, 0), rule: .invalidInput, says: "operand size"),
        Breach(page: .correct(.ioio, 0x3f8_0201, 0), rule: .invalidInput, says: "(bits 6:4) 0"),
        Breach(
            page: .correct(.mmioRead, 0xfe00_0000, 0, scratch), rule: .invalidInput,
            says: "no bytes"),
        Breach(
            page: .correct(.mmioRead, 0xfe00_0000, 9, scratch), rule: .mmioTooLong,
            says: "0x9 bytes"),
        Breach(page: .correct(.mmioRead, 0xfe00_0000, 8, scratch), rule: nil),
        Breach(page: .correct(.mmioRead, 0xfe00_0000, 64, scratch), version: 1, rule: nil),
        Breach(
            page: .correct(.mmioRead, 0xfe00_0000, 8, [.swScratch: 0x10fe8]), rule: nil),
        Breach(
            page: .correct(.mmioRead, 0xfe00_0000, 8, [.swScratch: 0x10fe9]),
            rule: .scratchOutsideBuffer, says: "0x10fe9"),
        Breach(
            page: .correct(.mmioRead, 0xfe00_0000, 8, [.swScratch: 0x10400]), version: 1,
            rule: .scratchOutsideBuffer, says: "0x10800-0x10fef"),
        Breach(
            page: .correct(.mmioRead, 0xfe00_0000, 8, [.swScratch: 0x5000]),
            rule: .scratchOutsideBuffer, says: "0x5000"),
        Breach(
            page: .correct(.mmioRead, 0xfe00_0000, 8, [.swScratch: 0x5000]), version: 1, rule: nil),
        Breach(
            page: .correct(.mmioRead, 0xfe00_0000, 8, [.swScratch: 0]), version: 1,
            rule: .scratchOutsideBuffer, says: "SW_SCRATCH is 0x0"),
        Breach(
            page: .correct(.mmioRead, 0xfe00_0000, 8, [.swScratch: 0x9_0000]), version: 1,
            rule: .scratchOutsideBuffer, says: "no RAM"),
        Breach(
            page: .correct(.ioio, 0x3f8_021c, 0x10001, [.swScratch: 0x5000]), version: 1,
            rule: .scratchOutsideBuffer, says: "64 KiB"),
        Breach(
            page: .correct(.ioio, 0x3f8_021c, .max, scratch), rule: .scratchOutsideBuffer,
            says: "wrapping"),
        Breach(page: .correct(.ioio, 0x3f8_021c, 0x7f0, scratch), rule: nil),
        Breach(page: .correct(.ioio, 0x3f8_021c, 0, scratch), rule: nil),
        Breach(page: cpuid.with(.protocolVersion, 0), rule: .versionUnsupported, says: "is 0"),
        Breach(page: cpuid.with(.protocolVersion, 3), rule: .versionUnsupported, says: "1 to 2"),
        Breach(
            page: cpuid.with(.protocolVersion, 2), version: 1, rule: .versionUnsupported,
            says: "PROTOCOL_VERSION is 2, the VM offers version 1"),
        Breach(page: cpuid.with(.protocolVersion, 2), rule: nil),
        Breach(page: cpuid.with(.rbx, 0x1234), rule: .unexpectedValid, says: "RBX (0x1234)"),
        Breach(
            page: .correct(.msr, 0, 0, [.rcx: 0x10, .rax: 1]), rule: .unexpectedValid,
            says: "MSR (0x7c) does not need RAX (0x1)"),
    ]

    @Test("each breach is one finding of its rule, each near miss none", arguments: breaches)
    func breach(_ breach: Breach) {
        let findings = LintHarness(version: breach.version).exit(breach.page)
        #expect(findings.rules == (breach.rule.map { [$0] } ?? []))
        if let finding = findings.first {
            #expect(finding.message.contains(breach.says))
            #expect(finding.message.hasSuffix("; " + finding.rule.advice))
            #expect(finding.sequence == 1)
            #expect(finding.rip == .known(.init(0x10012b), from: .direct))
        }
    }

    @Test("XSS is asked for in version 2, where the VM has it")
    func xss() {
        let state = Self.state
        #expect(LintHarness(xss: true).exit(state).rules == [.cpuidNeedsXSS])
        #expect(LintHarness(xss: true).exit(state.with(.xss, 0)).isEmpty)
        #expect(LintHarness(version: 1, xss: true).exit(state).isEmpty)
        #expect(LintHarness(xss: false).exit(state).isEmpty)
        // The other sub-leaves do not depend on it.
        #expect(LintHarness(xss: true).exit(state.with(.rcx, 2)).isEmpty)
        // One error at a time: XCR0 is missing too.
        #expect(LintHarness(xss: true).exit(state.without(.xcr0)).rules == [.cpuidNeedsXCR0])
    }

    @Test("what only the specification forbids is a note, and a warning by it alone")
    func tolerated() {
        for page in [Self.cpuid.with(.protocolVersion, 0), Self.state] {
            let found = LintHarness(xss: true).exit(page)
            let strict = LintHarness(behaviour: .specification, xss: true).exit(page)
            #expect(found.map(\.severity) == [.note])
            #expect(found.first?.message.contains("KVM never reads it") == true)
            #expect(strict.map(\.severity) == [.warning])
            #expect(found.rules == strict.rules)
        }
    }

    @Test("the specification alone has no word against what only KVM refuses")
    func specification() {
        func rules(_ page: GHCBPage, _ version: Int = 2) -> [LintRule] {
            LintHarness(version: version, behaviour: .specification).exit(page).rules
        }
        #expect(rules(.correct(.rdtsc)).isEmpty)
        #expect(rules(.correct(.unsupported, 0x73)).isEmpty)
        #expect(rules(.correct(.hvFeatures), 1) == [.unknownEvent])
        #expect(rules(.correct(.hvFeatures)).isEmpty)
        #expect(
            rules(.correct(.cpuid, 0, 0, [.rax: 0x1_0000_000d, .rcx: 0])) == [.cpuidNeedsXCR0])
        #expect(
            rules(.correct(.ioio, 0x3f8_021c, 0x10001, [.swScratch: 0x5000]), 1).isEmpty)
    }

    @Test("two errors in one request are two findings")
    func twoErrors() {
        let page = GHCBPage.correct(.ioio, 0x3f8_0230, 0, [.r12: 5]).with(.protocolVersion, 9)
        let rules = LintHarness().exit(page).rules
        #expect(
            Set(rules) == [.versionUnsupported, .missingInput, .invalidInput, .unexpectedValid])
        #expect(rules.count == 4)
    }
}
