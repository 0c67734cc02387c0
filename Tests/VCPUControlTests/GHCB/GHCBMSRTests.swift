import Testing
import VCPUControl

@Suite("GHCB MSR")
struct GHCBMSRTests {
    /// REFERENCE 2, one value of each kind.
    static let values: [(UInt64, GHCBMSR, String)] = [
        (0x0000_0000_0100_8000, .page(.init(0x100_8000)), "GHCB_GPA 0x1008000"),
        (
            0x0002_0001_3300_0001, .sevInfoResponse(maximum: 2, minimum: 1, cBit: 51),
            "SEV_INFO_RESP versions 1-2, C-bit 51"
        ),
        (0x002, .sevInfoRequest, "SEV_INFO_REQ"),
        (0x5003, .apJumpTable(data: 5), "AP_JUMP_TABLE_REQ 0x5"),
        (
            0x8000_001f_4000_0004, .cpuidRequest(function: 0x8000_001f, register: .ebx),
            "CPUID_REQ 0x8000001f ebx"
        ),
        (
            0x0000_0033_c000_0005, .cpuidResponse(value: 0x33, register: .edx),
            "CPUID_RESP edx=0x00000033"
        ),
        (0x006, .apResetHoldRequest, "AP_RESET_HOLD_REQ"),
        (0x1007, .apResetHoldResponse(result: 1), "AP_RESET_HOLD_RESP SIPI"),
        (0x010, .preferredGPARequest, "PREF_GPA_REQ"),
        (
            0xffff_ffff_ffff_f011, .preferredGPAResponse(frame: GHCBMSR.noFrame),
            "PREF_GPA_RESP none"
        ),
        (0x8012, .registerGPARequest(frame: 8), "REG_GPA_REQ 0x8000"),
        (0x8013, .registerGPAResponse(frame: 8), "REG_GPA_RESP 0x8000"),
        (0x0020_0000_0000_8014, .pscRequest(operation: 2, frame: 8), "PSC_REQ 0x8000 shared"),
        (0x8000_0000_0000_0015, .pscResponse(error: 0x8000_0000), "PSC_RESP error 0x80000000"),
        (0x0000_0002_0000_0016, .vmplRequest(vmpl: 2), "VMPL_REQ VMPL2"),
        (0x017, .vmplResponse(error: 0), "VMPL_RESP ok"),
        (0x080, .hvFeaturesRequest, "HV_FT_REQ"),
        (0x3081, .hvFeaturesResponse(.kvm), "HV_FT_RESP 0x3 (SNP, SNP_AP_CREATION)"),
        (
            0x51100, .terminationRequest(.init(set: 1, code: 5)),
            "TERM_REQ set 1 code 5: CPUID via the hypervisor"
        ),
        (0x7f03, .unknown(info: 0xf03, data: 7), "UNKNOWN 0x7"),
    ]

    @Test("every kind of value is decoded, built and put into words", arguments: values)
    func kinds(_ raw: UInt64, _ decoded: GHCBMSR, _ summary: String) {
        #expect(GHCBMSR(rawValue: raw) == decoded)
        #expect(decoded.rawValue == raw)
        #expect(decoded.summary == summary)
        #expect(decoded.info == UInt16(raw & 0xfff))
    }

    @Test("the table of values leaves no GHCBInfo out")
    func complete() {
        let walked = Set(Self.values.map { GHCBMSR.Info(rawValue: UInt16($0.0 & 0xfff)) })
        #expect(walked == Set(GHCBMSR.Info.allCases.map(Optional.some) + [nil]))
    }

    @Test("any value decodes, and what is decoded stays")
    func anyValue() {
        var generator = SeededGenerator(state: 1)
        for info in 0..<UInt64(4096) {
            let raw = generator.next() & ~0xfff | info
            let decoded = GHCBMSR(rawValue: raw)
            #expect(decoded.info == UInt16(info))
            #expect(GHCBMSR(rawValue: decoded.rawValue) == decoded)
            #expect(!decoded.summary.isEmpty)
        }
    }

    @Test("only what the hypervisor writes is a response")
    func responses() {
        for info in GHCBMSR.Info.allCases {
            #expect(info.isResponse == info.name.hasSuffix("_RESP"))
        }
    }
}

@Suite("GHCB words")
struct GHCBWordTests {
    @Test("EVENTINJ is what KVM writes and guests accept")
    func eventInjection() {
        #expect(EventInjection.refusedMSR.rawValue == 0x8000_030d)
        #expect(EventInjection.invalidOpcode.rawValue == 0x8000_0306)
        #expect(EventInjection.generalProtection.rawValue == 0x8000_0b0d)
        let fault = EventInjection(.init(rawValue: 14), errorCode: 0x10)
        #expect(fault.rawValue == 0x0000_0010_8000_0b0e)
        #expect((fault.vector.rawValue, fault.kind, fault.errorCode) == (14, .exception, 0x10))
        #expect(fault.name == "#PF(0x10)")
        #expect(!fault.isAcceptable)
        #expect(EventInjection.refusedMSR.isAcceptable)
        #expect(EventInjection.refusedMSR.name == "#GP")
        #expect(!EventInjection(rawValue: 0x30d).isAcceptable)
        #expect(EventInjection(rawValue: 0x8000_0120).kind == nil)
        #expect(EventInjection(.init(rawValue: 0x20), .interrupt).name == "interrupt 0x20")
    }

    @Test("IOIO's info1 is decoded bit by bit")
    func ioio() {
        let out = IOIOInfo(
            port: 0x3f8, size: 1, isInput: false, isString: true, isRepeated: true, segment: .ds)
        #expect(out.rawValue == 0x03f8_0e1c)
        #expect((out.isInput, out.isString, out.isRepeated) == (false, true, true))
        #expect((out.size, out.addressWidth, out.segment, out.port) == (1, 64, .ds, 0x3f8))
        let input = IOIOInfo(rawValue: 0xffff_1dc1)
        #expect((input.size, input.addressWidth, input.segment) == (4, nil, nil))
        #expect((input.isInput, input.isString, input.port) == (true, false, 0xffff))
        #expect(IOIOInfo(rawValue: 0x1_0000_0000).port == 0)
    }

    @Test("termination reasons are named as Linux and the specification name them")
    func termination() {
        #expect(TerminationReason(exitInfo1: 0xffff_f011).set == 1)
        #expect(TerminationReason(exitInfo1: 0xffff_f011).code == 1)
        #expect(TerminationReason(set: 0, code: 0).text == "set 0 code 0: general request")
        #expect(TerminationReason(set: 1, code: 9).meaning == "SVSM CAA")
        #expect(TerminationReason(set: 1, code: 13).meaning == nil)
        #expect(TerminationReason(set: 3, code: 8).meaning == "PVALIDATE")
        #expect(TerminationReason(set: 3, code: 9).text == "set 3 code 9")
        #expect(TerminationReason(set: 5, code: 0).text == "set 5 code 0")
    }

    @Test("feature bits are named, and those without a name numbered")
    func bitNames() {
        #expect(
            HypervisorFeatures(rawValue: 0x2a0).names
                == ["SNP_MULTI_VMPL", "bit 7", "EXTENDED_INTERRUPTS"])
        #expect(SEVStatus([.sev, .sevES]).rawValue == 3)
        #expect(
            SEVStatus(rawValue: 0x80_0083).names == [
                "SEV", "SEV_ES", "DEBUG_SWAP", "IBPB_ON_ENTRY",
            ])
    }

    @Test("malformed reasons have the kernel's numbers and names")
    func malformed() {
        #expect(MalformedReason.allCases.map(\.rawValue) == [1, 2, 3, 4, 5, 6])
        #expect(MalformedReason(rawValue: 3)?.name == "INVALID_SCRATCH_AREA")
        #expect(MalformedReason(rawValue: 6)?.name == "INVALID_EVENT")
    }
}
