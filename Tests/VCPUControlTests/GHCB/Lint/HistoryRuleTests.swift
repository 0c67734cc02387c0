import Testing
import VCPUControl

@Suite("Rules that remember")
struct HistoryRuleTests {
    private static let cpuid = GHCBPage.correct(.cpuid, 0, 0, [.rax: 1, .rcx: 0])

    @Test("a bitmap that is never cleared is stale-request, once")
    func stale() {
        let lint = LintHarness()
        #expect(lint.exit(Self.cpuid).isEmpty)
        var page = lint.page
        page.set(.swExitCode, to: ExitCode.msr.rawValue)
        page.set(.rcx, to: 0xfe)
        let findings = lint.exit(page)
        #expect(findings.rules == [.staleRequest])
        #expect(findings.first?.message.contains("RAX (0x") == true)
        page = lint.page
        page.set(.swExitCode, to: ExitCode.wbinvd.rawValue)
        #expect(lint.exit(page).isEmpty)
    }

    @Test("a cleared bitmap over old values is no finding")
    func cleared() {
        let lint = LintHarness()
        _ = lint.exit(Self.cpuid)
        var page = lint.page
        page.clearValidBitmap()
        page.set(.swExitCode, to: ExitCode.wbinvd.rawValue)
        page.set(.swExitInfo1, to: 0)
        page.set(.swExitInfo2, to: 0)
        #expect(lint.exit(page).isEmpty)
    }

    @Test("the parts of one string access may go without clearing the bitmap, as OVMF does")
    func continued() {
        let part = GHCBPage.correct(.ioio, 0x3f8_021c, 4, [.swScratch: 0x10800])
        let lint = LintHarness()
        #expect(lint.exit(part).isEmpty)
        var page = lint.page
        for field in [GHCBField.swExitCode, .swExitInfo1, .swExitInfo2, .swScratch] {
            page.set(field, to: part.raw(field))
        }
        #expect(lint.exit(page).isEmpty)
        let strict = LintHarness(behaviour: .specification)
        _ = strict.exit(part)
        #expect(strict.exit(page).rules == [.staleRequest])
    }

    @Test("a guest that marks all registers each time is unexpected-valid only")
    func marksAll() {
        let all: [GHCBField] = [.rax, .rbx, .rcx, .rdx]
        let lint = LintHarness()
        var page = Self.cpuid
        var rules: Set<LintRule> = []
        for code in [ExitCode.cpuid, .wbinvd, .msr, .nmiComplete, .cpuid] {
            let values = lint.page
            page = .correct(code)
            for field in all { page.set(field, to: values.raw(field)) }
            if code == .msr { page.set(.rcx, to: 0xfe) }
            if code == .cpuid { page.set(.rax, to: 1) }
            rules.formUnion(lint.exit(page).rules)
        }
        #expect(rules == [.unexpectedValid])
    }

    @Test("SVSM's bits for the bitmap itself and Linux's habits are no findings")
    func habits() {
        let lint = LintHarness()
        var page = Self.cpuid.with(.xcr0, 1)
        #expect(lint.exit(page).isEmpty)
        page = .correct(.ioio, 0x3fd_0211, 0, [.rax: 0])
        #expect(lint.exit(page).isEmpty)
        let hypercall: [GHCBField: UInt64] = [
            .rax: 1, .cpl: 0, .rbx: 1, .rcx: 2, .rdx: 3, .rsi: 4,
        ]
        #expect(lint.exit(.correct(.vmmcall, 0, 0, hypercall)).isEmpty)
        var bytes = Self.cpuid.bytes
        bytes[0x3ff] |= 0xc0
        #expect(GHCBPage(bytes).map { lint.exit($0) } == [])
        bytes[0x3fc] |= 0x10
        #expect(GHCBPage(bytes).map { lint.exit($0).rules } == [.unexpectedValid])
    }

    @Test("a private GHCB is one finding, whatever the scrambled bytes say")
    func privatePage() {
        let lint = LintHarness()
        lint.mapping = .private
        let garbage = GHCBPage((0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 37) }) ?? GHCBPage()
        let findings = lint.exit(garbage)
        #expect(findings.rules == [.ghcbNotShared])
        #expect(findings.first?.message.contains("0x10000") == true)
        #expect(lint.exit(garbage).isEmpty)
    }

    @Test("one GHCB in two MSRs is one finding, and torn requests are not judged for it")
    func shared() {
        let lint = LintHarness()
        lint.msrs = [0x10000, 0x10000]
        let findings = lint.exit(Self.cpuid, vcpu: 1)
        #expect(findings.rules == [.sharedBetweenVCPUs])
        #expect(findings.first?.message.contains("vCPU 1 and vCPU 0") == true)
        #expect(lint.exit(Self.cpuid.without(.rcx), vcpu: 0).isEmpty)
        #expect(lint.exit(Self.cpuid, vcpu: 1).isEmpty)
    }

    @Test("a page that its last owner has given back is not shared")
    func givenBack() {
        let lint = LintHarness()
        lint.msrs = [nil, 0x10000]
        #expect(lint.exit(Self.cpuid, vcpu: 1).isEmpty)
        lint.msrs = [0x11000, 0x10000]
        #expect(lint.exit(Self.cpuid, vcpu: 1).isEmpty)
    }

    @Test("an exception that nobody reads is response-ignored at its own exchange")
    func ignored() {
        let lint = LintHarness()
        let unknown = GHCBPage.correct(.msr, 0, 0, [.rcx: 0x4242])
        #expect(lint.exit(unknown).isEmpty)
        let findings = lint.exit(Self.cpuid)
        #expect(findings.rules == [.responseIgnored])
        #expect(findings.first?.sequence == 1)
        #expect(findings.first?.rip == .known(.init(0x10012b), from: .direct))
        #expect(lint.exit(unknown).isEmpty)
        #expect(lint.linter.observe(.responseRead(vcpu: 0)).isEmpty)
        #expect(lint.exit(Self.cpuid).isEmpty)
    }

    @Test("an error that was named is not named again for its answer")
    func namedOnce() {
        let lint = LintHarness()
        #expect(lint.exit(Self.cpuid.without(.rcx)).rules == [.missingInput])
        #expect(lint.exit(Self.cpuid).isEmpty)
    }

    @Test("the same error of the same instruction is found once")
    func once() {
        let lint = LintHarness()
        let page = Self.cpuid.without(.rcx)
        #expect(lint.exit(page).rules == [.missingInput])
        lint.rip -= 8
        #expect(lint.exit(page).isEmpty)
        #expect(lint.exit(page).rules == [.missingInput])
    }
}
