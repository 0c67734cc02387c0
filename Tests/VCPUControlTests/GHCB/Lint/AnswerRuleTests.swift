import Testing

@testable import VCPUControl

@Suite("Rules for the hypervisor's answer")
struct AnswerRuleTests {
    private static let cpuid = GHCBPage.correct(.cpuid, 0, 0, [.rax: 1, .rcx: 0])
    private static let port = GHCBPage.correct(.ioio, 0x3f8_0210, 0, [.rax: 0x41])
    private static let rules: Set<LintRule> = [.undefinedAnswer, .pageNotTaken]

    private func lint(under faults: HypervisorFault, version: Int = 2) -> LintHarness {
        let lint = LintHarness(version: version)
        lint.harness.model = HypervisorModel(
            ghcbVersion: version, cBit: 51, vcpus: 4, faults: faults)
        return lint
    }

    @Test("SW_EXITINFO1 that is kept is found where it was not 0, once", arguments: [1, 2])
    func keptInfo(version: Int) {
        let lint = lint(under: .keepsExitInfo1, version: version)
        #expect(lint.exit(Self.cpuid).isEmpty)
        let findings = lint.exit(Self.port)
        #expect(findings.rules == [.undefinedAnswer])
        #expect(
            findings.first?.message.hasPrefix(
                "IOIO (0x7b): the answer has 0x3f80210 in SW_EXITINFO1, still the request's:")
                == true)
        #expect(lint.exit(Self.port).isEmpty)
        // A write to an MSR has 1 there: that looks like an exception, and is in the list.
        #expect(lint.exit(.correct(.msr, 1, 0, [.rcx: 0x10, .rax: 1, .rdx: 0])).isEmpty)
    }

    @Test("a page that the hypervisor does not take is found, with the one that it had before")
    func secondPage() throws {
        let lint = lint(under: .keepsFirstGHCB)
        #expect(lint.exit(Self.port).isEmpty)
        lint.msr = 0x20000
        let findings = lint.exit(Self.port)
        #expect(findings.rules == [.pageNotTaken])
        let message = try #require(findings.first?.message)
        #expect(message.contains("0x20000 is as the guest left it"))
        #expect(message.contains("it answered vCPU 0 at 0x10000 before"))
        #expect(lint.page == Self.port)
        lint.msr = 0x10000
        #expect(lint.exit(Self.port).isEmpty)
    }

    @Test("with the fault, the first page of each vCPU is served, and its old request answered")
    func servedPage() throws {
        let lint = lint(under: .keepsFirstGHCB)
        _ = lint.exit(Self.cpuid)
        lint.msr = 0x20000
        #expect(lint.exit(Self.cpuid, vcpu: 1).isEmpty)
        _ = lint.harness.memory.write(Self.cpuid.bytes, to: .init(0x10000))
        #expect(lint.exit(Self.port).rules == [.pageNotTaken])
        let old = try #require(GHCBPage(at: 0x10000, in: lint.harness.memory))
        #expect(old.isValid(.rbx) && !old.isValid(.swExitCode))
    }

    @Test("a page that was not taken has no steps behind the VMGEXIT")
    func steps() throws {
        let lint = lint(under: .keepsFirstGHCB)
        _ = lint.exit(Self.cpuid)
        lint.msr = 0x20000
        let exchange = try #require(lint.harness.exchange(Self.port))
        #expect(exchange.steps.map(\.number) == [1])
        #expect(exchange.outcome == .unanswered)
        #expect(exchange.reason?.contains("did not take the page at 0x20000") == true)
    }

    /// An exchange with an answer that no model gives.
    private func findings(
        _ request: GHCBPage, answered change: (inout GHCBPage) -> Void
    ) throws -> [Finding] {
        let lint = LintHarness()
        var exchange = try #require(lint.harness.exchange(request))
        var response = try #require(exchange.responsePage)
        change(&response)
        exchange.content = .page(request: request, response: response)
        return lint.linter.observe(.exchange(sequence: 1, exchange, VMGEXITContext()))
    }

    @Test("only the low 32 bits of SW_EXITINFO1 are an answer, and 0, 1 and 2 are defined")
    func definedAnswers() throws {
        for info1 in [0, 1, 2, 0x7_0000_0000, 0x7_0000_0002] as [UInt64] {
            #expect(try findings(Self.cpuid) { $0.setRaw(.swExitInfo1, to: info1) }.isEmpty)
        }
        for info1 in [3, 0x8000_0000, 0x1_ffff_ffff] as [UInt64] {
            let found = try findings(Self.cpuid) { $0.setRaw(.swExitInfo1, to: info1) }
            #expect(found.rules == [.undefinedAnswer])
            #expect(found.first?.message.contains("still the request's") == false)
        }
    }

    @Test("an untouched page is not taken, one with a single change is")
    func untouched() throws {
        #expect(try findings(Self.cpuid) { $0 = Self.cpuid }.rules == [.pageNotTaken])
        #expect(
            try findings(Self.cpuid) {
                $0 = Self.cpuid
                $0.invalidate(.swExitCode)
            }.isEmpty)
    }

    @Test("an answer that is sent again as it came is a page that KVM changes nothing in")
    func sameAnswer() {
        let lint = LintHarness()
        #expect(lint.exit(GHCBPage.correct(.cpuid).without(.swExitCode)).rules == [.missingInput])
        let before = lint.page
        #expect(lint.exit(before).rules.filter(Self.rules.contains).isEmpty)
        #expect(lint.page == before)
    }

    @Test("version 1 lets a scratch area run into the page: what lands there is the guest's doing")
    func overwritten() {
        let lint = LintHarness(version: 1)
        let page = GHCBPage.correct(.ioio, 0x80_021d, 0x430, [.swScratch: 0xff80])
        #expect(lint.exit(page).isEmpty)
        #expect(lint.page.raw(.swExitInfo1) > 2)
    }

    private static func hostilePage(_ random: inout SeededGenerator) -> GHCBPage {
        let edges: [UInt64] = [
            0, 1, 2, 3, 4, 0x72, 0x7b, 0xf000, 0xfff0, 0x10800, 0x10fef, 0xffff_ffff, .max,
        ]
        var page = GHCBPage()
        for field in GHCBField.allCases where field != .ghcbUsage {
            let number = random.next()
            let value =
                number % 2 == 0 ? edges[Int(number >> 8 % 13)] : number >> (number >> 8 & 63)
            if number >> 60 < 10 {
                page.set(field, to: value)
            } else {
                page.setRaw(field, to: value)
            }
        }
        let events = NAEEvent.table
        if random.next() % 8 != 0 {
            page.set(
                .swExitCode, to: events[Int(random.next() % UInt64(events.count))].code.rawValue)
            for field in [GHCBField.swExitInfo1, .swExitInfo2] {
                page.set(field, to: page.raw(field))
            }
        }
        if random.next() % 16 == 0 { page.set(.ghcbUsage, to: random.next()) }
        return page
    }

    @Test(
        "no page makes a correct hypervisor break them, answers sent again included",
        arguments: 1...2, HypervisorBehaviour.allCases)
    func correctModel(version: Int, behaviour: HypervisorBehaviour) {
        var random = SeededGenerator(state: UInt64(version) + 40)
        let lint = LintHarness(version: version, behaviour: behaviour)
        lint.harness.model = HypervisorModel(
            ghcbVersion: version, behaviour: behaviour, cBit: 51, vcpus: 4)
        var outcomes: Set<UInt64> = []
        for round in 0..<10_000 {
            let page = round % 5 == 4 ? lint.page : Self.hostilePage(&random)
            let findings = lint.exit(page, vcpu: round % 3)
            outcomes.insert(lint.page.raw(.swExitInfo1))
            // A finding of a setup is reported once: each round is a new linter.
            lint.linter = Linter(lint.linter.vm)
            guard let wrong = findings.first(where: { Self.rules.contains($0.rule) }) else {
                continue
            }
            Issue.record("round \(round): \(wrong.line)")
            return
        }
        #expect(outcomes.isSuperset(of: [0, 1, 2]))
    }
}

@Suite("Rule for ucalls")
struct UcallRuleTests {
    private static let ucall: UInt64 = 0x1000 << 16 | 0x210
    private static let send = GHCBPage.correct(.ioio, ucall | 0xc0c, 8, [.swScratch: 0x10800])
    private static let plain = GHCBPage.correct(.ioio, ucall | 1)

    private func rules(_ pages: GHCBPage..., vcpus: [Int] = [0, 0, 0]) -> [LintRule] {
        let lint = LintHarness()
        return zip(pages, vcpus).flatMap { lint.exit($0, vcpu: $1).rules }
    }

    @Test("the plain IN right behind the string OUT is found, in all sizes, once")
    func fallsThrough() {
        #expect(rules(Self.send, Self.plain) == [.ucallFallsThrough])
        #expect(rules(Self.send, .correct(.ioio, 0x1000_0241)) == [.ucallFallsThrough])
        #expect(
            rules(Self.send, .correct(.ioio, Self.ucall | 1, 0, [.rax: 0])) == [.ucallFallsThrough])
        let lint = LintHarness()
        let found = (lint.exit(Self.send) + lint.exit(Self.plain)).first?.message
        #expect(found?.hasPrefix("IN from port 0x1000 right after the string OUT") == true)
    }

    @Test("nothing else is: other ports, directions and forms, something between, other vCPUs")
    func nearMisses() {
        let console = GHCBPage.correct(.ioio, 0x3f8_0e1c, 8, [.swScratch: 0x10800])
        let input = GHCBPage.correct(.ioio, Self.ucall | 0xd, 8, [.swScratch: 0x10800])
        let byte = GHCBPage.correct(.ioio, Self.ucall, 0, [.rax: 1])
        #expect(rules(Self.plain).isEmpty)
        #expect(rules(Self.send, Self.send).isEmpty)
        #expect(rules(console, Self.plain).isEmpty)
        #expect(rules(byte, Self.plain).isEmpty)
        #expect(rules(input, Self.plain).isEmpty)
        #expect(rules(Self.send, input).isEmpty)
        #expect(rules(Self.send, byte).isEmpty)
        #expect(rules(Self.send, .correct(.ioio, 0x3fd_0211)).isEmpty)
        #expect(rules(Self.send, .correct(.wbinvd), Self.plain).isEmpty)
        #expect(rules(Self.send, Self.plain, vcpus: [0, 1]).isEmpty)
    }

    @Test("a string OUT that was refused has sent nothing, and an MSR request is between")
    func refused() {
        let refused = GHCBPage.correct(.ioio, Self.ucall | 0xc0c, 8, [.swScratch: 0x10400])
        #expect(rules(refused, Self.plain) == [.scratchOutsideBuffer])
        let lint = LintHarness()
        #expect(lint.exit(Self.send).isEmpty)
        #expect(lint.exit(msr: 0x2).isEmpty)
        #expect(lint.exit(Self.plain).isEmpty)
    }
}
