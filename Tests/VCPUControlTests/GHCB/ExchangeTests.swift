import Testing
import VCPUControl

@Suite("What an exchange says of itself")
struct ExchangeTests {
    @Test("names, codes and words of the page protocol")
    func page() throws {
        let harness = GHCBHarness()
        let exchange = try #require(
            harness.exchange(.request(.cpuid, 1, 2, [.rax: 0x8000_001f, .rcx: 0])))
        #expect(exchange.protocolName == "page")
        #expect(exchange.codeText == "0x72")
        #expect(exchange.name == "CPUID")
        #expect((exchange.info1, exchange.info2) == (1, 2))
        #expect(exchange.ghcb == .init(0x10000))
        #expect(exchange.reason == nil)
        #expect(
            exchange.summary
                == "CPUID 0x8000001f/0 -> eax=0x0000000a ebx=0x00000033 ecx=0x000001fd edx=0x00000064"
        )
    }

    @Test("names, codes and words of the MSR protocol")
    func msr() throws {
        let harness = GHCBHarness()
        let exchange = try #require(harness.vmgexit(msr: 0x8000_001f_4000_0004).resumed)
        #expect(exchange.protocolName == "msr")
        #expect(exchange.codeText == "0x4")
        #expect(exchange.name == "CPUID_REQ")
        #expect(exchange.info1 == 0x8000_001f_4000_0004)
        #expect(exchange.ghcb == nil)
        #expect(exchange.requestFields.isEmpty)
        #expect(exchange.summary == "CPUID_REQ 0x8000001f ebx -> ebx=0x00000033")
    }

    @Test("request fields are those valid, required or returned; hidden where not valid")
    func requestFields() throws {
        let harness = GHCBHarness()
        let exchange = try #require(harness.exchange(.request(.cpuid, 0, 0, [.rax: 1, .xss: 7])))
        #expect(exchange.outcome == .malformed(reason: 4))
        let fields = exchange.requestFields
        #expect(
            fields.map(\.field)
                == [.xss, .rax, .rcx, .rdx, .rbx, .swExitCode, .swExitInfo1, .swExitInfo2])
        #expect(fields[0].reading == .known(7, from: .direct))
        #expect(fields[2].reading == .hidden(.notValid))
        #expect(
            exchange.responseFields.map(\.field)
                == [.rax, .rcx, .rdx, .rbx, .swExitInfo1, .swExitInfo2])
        #expect(exchange.responseFields.last?.reading == .known(4, from: .direct))
    }

    /// Requests that are over at once, and their line.
    static let lines: [(GHCBPage, String)] = [
        (.request(.msr, 0, 0, [.rcx: 0xfe]), "MSR read 0xfe (MTRRcap) -> 0x508"),
        (
            .request(.msr, 1, 0, [.rcx: 0x1a0, .rax: 0x801, .rdx: 1]),
            "MSR write 0x1a0 (MISC_ENABLE) 0x100000801"
        ),
        (
            .request(.msr, 0, 0, [.rcx: 0x4242]),
            "MSR read 0x4242 -> exception: the hypervisor asks for #GP: MSR 0x4242 cannot be read"
        ),
        (.request(.vmmcall, 0, 0, [.rax: 5, .cpl: 0]), "VMMCALL nr 0x5 cpl 0x0 -> -1000"),
        (.request(.hvFeatures), "HV_FEATURES -> 0x3 (SNP, SNP_AP_CREATION)"),
        (.request(.apJumpTable, 0, 0x9f000), "AP_JUMP_TABLE set 0x9f000"),
        (.request(.apJumpTable, 1), "AP_JUMP_TABLE get -> 0x0"),
        (
            .request(.apJumpTable, 7),
            "AP_JUMP_TABLE set 0x0 -> malformed: invalid input: SW_EXITINFO1 is 0x7, neither 0"
                + " (set) nor 1 (get)"
        ),
        (.request(.wbinvd), "WBINVD"),
        (
            .request(.rdtscp),
            "RDTSCP -> exception: KVM injects #UD for 0x87 (RDTSCP), with SW_EXITINFO1 = 0"
        ),
        (
            .request(.cpuid),
            "CPUID ?/? -> malformed: missing input: RAX, RCX are not valid in the bitmap"
        ),
        (
            .request(.init(0x73)),
            "RSM -> malformed: invalid event: the hypervisor takes no SW_EXITCODE 0x73 (RSM) from this guest"
        ),
        (
            .request(.init(0x1234)),
            "UNKNOWN 0x1234 -> malformed: invalid event: the hypervisor takes no SW_EXITCODE 0x1234 from this guest"
        ),
        (
            .request(.psc, 0, 0, [.swScratch: 0x10800]),
            "PSC -> malformed: missing input: 0x80000010 (PSC) needs an SEV-SNP guest"
        ),
        (
            .request(.mmioRead, 0xfe00_0000, 9, [.swScratch: 0x10800]),
            "MMIO_READ 0xfe000000 9 bytes -> malformed: invalid input: SW_EXITINFO2 is 0x9, and"
                + " version 2 moves at most 8 bytes"
        ),
        (
            .request(.mmioRead, 0xfe00_0000, 1, [.swScratch: 0x5000]),
            "MMIO_READ 0xfe000000 1 byte -> malformed: invalid scratch area: SW_SCRATCH 0x5000 with"
                + " 0x1 bytes is not within the shared buffer 0x10800-0x10fef"
        ),
    ]

    @Test("one line says what was asked and what came back", arguments: lines)
    func summary(page: GHCBPage, line: String) {
        let harness = GHCBHarness()
        #expect(harness.exchange(page)?.summary == line)
    }

    @Test("port and memory accesses show their data")
    func accesses() {
        let harness = GHCBHarness()
        func line(_ page: GHCBPage, _ answer: [UInt8] = []) -> String? {
            _ = harness.vmgexit(page)
            return harness.complete(answer).resumed?.summary
        }
        let string = GHCBPage.request(.ioio, 0x03f8_0e1c, 5, [.swScratch: 0x10800])
        #expect(
            line(string.with(Array("hello".utf8), at: 0x800))
                == #"IOIO OUT 0x3f8 string 8 bit x5 "hello""#)
        #expect(
            line(string.with([0x1b, 0x0a, 0x22, 0x5c, 0xff], at: 0x800))
                == #"IOIO OUT 0x3f8 string 8 bit x5 "\x1b\n\"\\\xff""#)
        #expect(line(.request(.ioio, 0x03fd_0211), [0x60]) == "IOIO IN 0x3fd 8 bit -> 0x60")
        #expect(
            line(.request(.ioio, 0x0080_0220, 0, [.rax: 0xa1234])) == "IOIO OUT 0x80 16 bit 0x1234")
        #expect(
            line(.request(.ioio, 0x0060_0215, 2, [.swScratch: 0x10800]), Array("ok".utf8))
                == #"IOIO IN 0x60 string 8 bit x2 -> "ok""#)
        #expect(
            line(.request(.mmioRead, 0xfe00_0005, 1, [.swScratch: 0x10800]), [0x60])
                == "MMIO_READ 0xfe000005 1 byte -> 0x60")
        #expect(
            line(
                .request(.mmioWrite, 0xfe00_0000, 2, [.swScratch: 0x10800]).with([1, 2], at: 0x800))
                == "MMIO_WRITE 0xfe000000 2 bytes 0x201")
    }

    @Test("what got no answer says why")
    func unanswered() {
        let harness = GHCBHarness()
        #expect(
            harness.vmgexit(msr: 0).resumed?.reason
                == "the GHCB MSR is 0: no GHCB is set, and the guest runs on without an answer")
        #expect(
            harness.vmgexit(msr: 0x40000).resumed?.reason
                == "the GHCB MSR is 0x40000: no RAM there, and the guest runs on without an answer")
        #expect(
            harness.vmgexit(msr: 0x3081).resumed?.reason
                == "the MSR still holds an answer of the hypervisor, 0x81 (HV_FT_RESP): no request")
        #expect(
            harness.vmgexit(msr: 0xf03).resumed?.reason
                == "the hypervisor does not answer MSR request 0xf03 (UNKNOWN), and leaves the MSR as it is"
        )
        #expect(harness.vmgexit(msr: 0x40000).resumed?.ghcb == .init(0x40000))
        #expect(harness.vmgexit(msr: 0).resumed?.ghcb == nil)
        #expect(harness.vmgexit(msr: 0).resumed?.codeText == "?")
    }

    @Test("the end says who asked for it")
    func end() {
        let harness = GHCBHarness()
        let exchange = harness.vmgexit(msr: 0x1100).ended
        #expect(exchange?.name == "TERM_REQ")
        #expect(
            exchange?.reason == "the guest asked for termination, set 1 code 0: GHCB registration")
        #expect(harness.vmgexit(msr: 0x10).ended?.reason?.contains("PREF_GPA_REQ") == true)
    }
}
