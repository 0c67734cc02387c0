import Testing
import VCPUControl

@Suite("Rules over many requests")
struct LintPropertyTests {
    /// What an SEV-ES guest may send, and KVM takes, in its forms.
    static func correct(
        _ generator: inout SeededGenerator, version: Int
    ) -> GHCBPage {
        let value = generator.next()
        let size = [UInt64(1), 2, 4][Int(value % 3)]
        let port = (value >> 8 & 0xffff) << 16 | size << 4 | 0x200
        let buffer: [GHCBField: UInt64] = [.swScratch: 0x10800 + (value >> 24 & 0x3ff)]
        let requests: [GHCBPage] = [
            .correct(.readDR7), .correct(.writeDR7, 0, 0, [.rax: value]),
            .correct(.rdpmc, 0, 0, [.rcx: value & 3]), .correct(.invd), .correct(.wbinvd),
            .correct(.cpuid, 0, 0, [.rax: value & 0xf, .rcx: value >> 8 & 3, .xcr0: 1, .xss: 0]),
            .correct(.cpuid, 0, 0, [.rax: 0x8000_0008, .rcx: 0]),
            .correct(.ioio, port, 0, [.rax: value >> 8 & 0xff]), .correct(.ioio, port | 1),
            .correct(.ioio, port | 1, 0, [.rax: 0]),
            .correct(.ioio, port | 4, value >> 40 & 0xff, buffer),
            .correct(.ioio, port | 0xd, value >> 40 & 0xff, buffer),
            .correct(.msr, 0, 0, [.rcx: value & 0x1ff]),
            .correct(.msr, 1, 0, [.rcx: value & 0x1ff, .rax: value, .rdx: value >> 32]),
            .correct(.vmmcall, 0, 0, [.rax: value & 15, .cpl: 0, .rbx: value]),
            .correct(.monitor, 0, 0, [.rax: value, .rcx: 0, .rdx: 0]),
            .correct(.mwait, 0, 0, [.rax: 0, .rcx: 0]),
            .correct(.mmioRead, 0xfe00_0000, value % 8 + 1, buffer),
            .correct(.mmioWrite, 0xfe00_0000, value % 8 + 1, buffer),
            .correct(.nmiComplete), .correct(.apResetHold), .correct(.apJumpTable, 1),
            .correct(.apJumpTable, 0, value & ~0xfff), .correct(.hvFeatures),
            .correct(.termination, value & 0xfff),
        ]
        let page = requests[Int(generator.next() % UInt64(requests.count))]
        return page.with(.protocolVersion, generator.next() % UInt64(version) + 1)
    }

    @Test("correct requests of every event and version give no finding", arguments: [1, 2])
    func correct(version: Int) {
        var generator = SeededGenerator(state: UInt64(version))
        let lint = LintHarness(version: version)
        for _ in 0..<2_000 {
            let page = Self.correct(&generator, version: version)
            let findings = lint.exit(page)
            _ = lint.linter.observe(.responseRead(vcpu: 0))
            guard !findings.isEmpty else { continue }
            Issue.record("\(findings.map(\.message))")
            return
        }
    }

    @Test("a missing input in any correct request is found, and nothing else", arguments: [1, 2])
    func missing(version: Int) {
        var generator = SeededGenerator(state: 77)
        for _ in 0..<500 {
            let page = Self.correct(&generator, version: version)
            let required = NAEEvent.requiredFields(of: page)
            let field = required[Int(generator.next() % UInt64(required.count))]
            // Without RAX, KVM knows of no leaf 0xd.
            guard field != .xcr0 else { continue }
            let rules = LintHarness(version: version).exit(page.without(field)).rules
            guard rules != [.missingInput] else { continue }
            Issue.record("\(page.raw(.swExitCode).hex) without \(field): \(rules)")
            return
        }
    }

    @Test("random pages and values: no trap, and every finding names a value")
    func hostile() {
        var generator = SeededGenerator(state: 9)
        let lint = LintHarness()
        for round in 0..<4_000 {
            let codes = NAEEvent.table
            var page = GHCBPage((0..<4096).map { _ in UInt8(0) }) ?? GHCBPage()
            for field in GHCBField.allCases where generator.next() % 3 != 0 {
                page.set(field, to: generator.next() >> (generator.next() % 64))
            }
            if generator.next() % 4 != 0 {
                page.setRaw(
                    .swExitCode,
                    to: codes[Int(generator.next() % UInt64(codes.count))].code.rawValue)
            }
            if generator.next() % 2 == 0 { page.setRaw(.ghcbUsage, to: 0) }
            let vcpu = round % 4
            lint.msrs = (0..<4).map { _ in generator.next() % 8 == 0 ? nil : 0x10000 }
            let findings =
                lint.exit(page, vcpu: vcpu)
                + lint.write(msr: generator.next() >> (generator.next() % 64), vcpu: vcpu)
                + lint.exit(msr: generator.next() >> (generator.next() % 64), vcpu: vcpu)
            for finding in findings where !Self.hasReason(finding) {
                Issue.record("\(finding.rule.id): \(finding.message)")
                return
            }
        }
    }

    static func hasReason(_ finding: Finding) -> Bool {
        let isClean = finding.message.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
        let fact = finding.message.dropLast(finding.rule.advice.count + 2)
        return isClean && fact.count > 10 && finding.message.count < 500
            && fact.contains { $0.isNumber || $0 == "_" }
    }

    @Test("the table of rules is the specification's of DESIGN 6, each row whole")
    func table() {
        let ids = """
            missing-input cpuid-needs-xcr0 cpuid-needs-xss usage-nonzero unknown-event \
            snp-only-event invalid-input unhandled-by-kvm ghcb-unset misaligned-ghcb \
            ghcb-not-shared shared-between-vcpus stale-msr msr-request-kills-es msr-cpuid-leaf \
            scratch-outside-buffer mmio-too-long version-unsupported registers-not-preserved \
            response-ignored stale-request unexpected-valid vc-frame-corrupt \
            terminate-without-vmgexit ucall-falls-through undefined-answer page-not-taken
            """
        #expect(LintRule.allCases.map(\.id) == ids.split(separator: " ").map(String.init))
        let warnings = LintRule.allCases.filter { $0.severity == .warning }
        #expect(
            warnings == [
                .cpuidNeedsXSS, .versionUnsupported, .responseIgnored, .staleRequest,
                .unexpectedValid,
            ])
        for rule in LintRule.allCases {
            #expect(!rule.explanation.isEmpty && !rule.advice.isEmpty && !rule.spec.isEmpty)
            #expect(LintRule(id: rule.id) == rule)
        }
    }
}
