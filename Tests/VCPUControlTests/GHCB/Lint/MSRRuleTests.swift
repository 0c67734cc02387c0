import Testing
import VCPUControl

@Suite("Rules for the GHCB MSR")
struct MSRRuleTests {
    /// Values of which a VMGEXIT breaks a rule, or none.
    static let values: [(UInt64, LintRule?)] = [
        (0, .ghcbUnset), (0x9_0000, .ghcbUnset), (0x2, nil), (0x4000_0004, nil),
        (0x8000_001f_4000_0004, nil), (0xd_0000_0004, .msrCPUIDLeaf), (0x6, nil), (0x80, nil),
        (0x100, nil), (0xff_f100, nil), (0x10, .msrRequestKillsES), (0x1_0012, .msrRequestKillsES),
        (0x10_0000_0001_0014, .msrRequestKillsES), (0x16, .snpOnlyEvent), (0x3, .unknownEvent),
        (0xf01, .unknownEvent), (0x10_5010, .misalignedGHCB), (0x10_5080, .misalignedGHCB),
        (0x10_5020, .misalignedGHCB), (0x105_5100, .misalignedGHCB), (0x10_5004, .misalignedGHCB),
        (0x10_5002, .misalignedGHCB), (0x20, .misalignedGHCB), (0x10_5f01, .misalignedGHCB),
        (0x3081, .staleMSR), (0x2_0001_3300_0001, .staleMSR),
    ]

    @Test("each value is judged by the one rule for it", arguments: values)
    func value(_ value: UInt64, rule: LintRule?) {
        let lint = LintHarness()
        let findings = lint.exit(msr: value)
        #expect(findings.rules == (rule.map { [$0] } ?? []))
        if rule != nil { #expect(findings.first?.message.contains(value.hex) == true) }
        // The same, in the same place of the MSR, is the same error.
        if rule != nil, rule != .msrCPUIDLeaf { #expect(lint.exit(msr: value).count <= 1) }
    }

    @Test("a misaligned address is found at the WRMSR, and what follows from it is not")
    func misaligned() {
        let lint = LintHarness()
        let findings = lint.write(msr: 0x10_5080)
        #expect(findings.rules == [.misalignedGHCB])
        #expect(findings.first?.sequence == nil)
        #expect(lint.exit(msr: 0x10_5080).isEmpty)
        // KVM answered the request that it took it for.
        #expect(lint.exit(msr: 0x3081).isEmpty)
        #expect(lint.write(msr: 0x10000).isEmpty)
        #expect(lint.write(msr: 0x2).isEmpty)
        #expect(lint.exit(msr: 0x2).isEmpty)
        #expect(lint.exit(msr: lint.harness.model.resetMSR).rules == [.staleMSR])
    }

    @Test("an MSR request that is followed by a rewrite is correct")
    func rewritten() {
        let lint = LintHarness()
        #expect(lint.write(msr: 0x80).isEmpty)
        #expect(lint.exit(msr: 0x80).isEmpty)
        #expect(lint.write(msr: 0x10000).isEmpty)
        #expect(lint.exit(.correct(.wbinvd)).isEmpty)
    }

    @Test("an answer may be put back, one that never was may not")
    func restored() {
        let lint = LintHarness()
        #expect(lint.exit(msr: 0x80).isEmpty)
        #expect(lint.write(msr: 0x3081).isEmpty)
        #expect(lint.write(msr: lint.harness.model.resetMSR).isEmpty)
        #expect(lint.write(msr: 0x10_5001).rules == [.misalignedGHCB])
    }

    @Test("a page VMGEXIT with the last answer in the MSR is found once until the next write")
    func stale() {
        let lint = LintHarness()
        _ = lint.write(msr: 0x80)
        _ = lint.exit(msr: 0x80)
        #expect(lint.exit(msr: 0x3081).rules == [.staleMSR])
        #expect(lint.exit(msr: 0x3081).isEmpty)
        _ = lint.write(msr: 0x80)
        _ = lint.exit(msr: 0x80)
        #expect(lint.exit(msr: 0x3081).rules == [.staleMSR])
    }

    @Test("an MSR that nobody has written is told from an answer that was not replaced")
    func untouched() {
        let lint = LintHarness()
        let reset = lint.harness.model.resetMSR
        #expect(lint.exit(msr: reset).first?.message.contains(", its value at reset;") == true)
        let asked = LintHarness()
        _ = asked.exit(msr: 0x2)
        let findings = asked.exit(msr: reset)
        #expect(findings.rules == [.staleMSR])
        #expect(findings.first?.message.contains("at reset") == false)
    }

    @Test("version 2's MSR requests in a version 1 VM: KVM answers, the specification does not")
    func versions() {
        #expect(LintHarness(version: 1).exit(msr: 0x80).isEmpty)
        let strict = LintHarness(version: 1, behaviour: .specification)
        #expect(strict.exit(msr: 0x80).rules == [.unknownEvent])
        #expect(strict.exit(msr: 0x6).rules == [.unknownEvent])
        #expect(strict.exit(msr: 0x2).isEmpty)
    }

    @Test("a termination value needs its VMGEXIT")
    func termination() {
        let lint = LintHarness()
        #expect(lint.write(msr: 0x1100).isEmpty)
        let halted = lint.linter.observe(.halted(vcpu: 0, rip: .init(0x2000)))
        #expect(halted.rules == [.terminateWithoutVMGEXIT])
        #expect(halted.first?.rip == .known(.init(0x2000), from: .direct))
        #expect(halted.first?.message.contains("0x1100 (termination, set 1 code 0") == true)
        #expect(lint.linter.observe(.halted(vcpu: 0, rip: .init(0x2001))).isEmpty)
        _ = lint.write(msr: 0x100)
        #expect(lint.write(msr: 0x10000).rules == [.terminateWithoutVMGEXIT])
        _ = lint.write(msr: 0x100)
        #expect(
            lint.linter.observe(.returned(vcpu: 0, rip: .init(0x3000))).rules
                == [.terminateWithoutVMGEXIT])
        _ = lint.write(msr: 0x100)
        #expect(lint.exit(msr: 0x100).isEmpty)
        #expect(lint.linter.observe(.halted(vcpu: 0, rip: .init(0x2002))).isEmpty)
    }
}

@Suite("Rules for what a vCPU does")
struct VCPURuleTests {
    @Test("arguments that the setup lost are named with both values")
    func arguments() {
        let lint = LintHarness()
        var found = RegisterFile()
        found[.rdi] = 1
        found[.rdx] = 0x1234
        found[.rcx] = 0xc001_0130
        found[.rsp] = 0x8ff8
        let expected: [Register: UInt64] = [.rdi: 1, .rdx: 3, .rcx: 4]
        let findings = lint.linter.observe(
            .entered(vcpu: 1, rip: .init(0x100000), expected: expected, found: found))
        #expect(findings.rules == [.registersNotPreserved])
        #expect(
            findings.first?.message.hasPrefix(
                "at the entry rdx is 0x1234, not 0x3, rcx is 0xc0010130, not 0x4; ") == true)
        found[.rdx] = 3
        found[.rcx] = 4
        #expect(
            lint.linter.observe(
                .entered(vcpu: 1, rip: .init(0x100000), expected: expected, found: found)
            ).isEmpty)
    }

    @Test("a stack that is not as behind a call is named")
    func stack() {
        let lint = LintHarness()
        var found = RegisterFile()
        found[.rsp] = 0x8ff0
        let findings = lint.linter.observe(
            .entered(vcpu: 0, rip: .init(0x100000), expected: [:], found: found))
        #expect(findings.rules == [.registersNotPreserved])
        #expect(findings.first?.message.hasPrefix("at the entry rsp is 0x8ff0, not 8") == true)
    }

    @Test("an IRET at the error code is found, one eight bytes above is right")
    func frame() {
        let lint = LintHarness()
        let place = GuestVirtualAddress(0x8fd0)
        let delivered = Observation.vcDelivered(vcpu: 0, errorCode: 0x72, errorCodeAt: place)
        func iret(_ stack: UInt64, _ target: UInt64) -> [LintRule] {
            lint.linter.observe(
                .interruptReturn(
                    vcpu: 0, rip: .init(0x5000), stack: .init(stack), target: .init(target))
            ).rules
        }
        _ = lint.linter.observe(delivered)
        #expect(iret(0x8fd8, 0x100005) == [])
        _ = lint.linter.observe(delivered)
        #expect(iret(0x8fd0, 0x72) == [.vcFrameCorrupt])
        _ = lint.linter.observe(delivered)
        // A handler that moves what it takes for RIP past the instruction; an address that is none.
        #expect(iret(0x8fd0, 0x72 + 15) == [.vcFrameCorrupt])
        _ = lint.linter.observe(delivered)
        #expect(iret(0x8fd0, 0x72 + 16) == [])
        _ = lint.linter.observe(delivered)
        #expect(iret(0x8fd0, 0x71) == [])
        // Another interrupt with its frame in the same place.
        #expect(iret(0x8fd0, 0x100005) == [])
        _ = lint.linter.observe(delivered)
        #expect(iret(0x7000, 0x72) == [])
    }
}
