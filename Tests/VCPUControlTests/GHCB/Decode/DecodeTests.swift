import Testing
import VCPUControl

@Suite("Values explained without a guest")
struct DecodeTests {
    @Test("an MSR value is named, and what KVM would do of it said")
    func msr() {
        #expect(
            Decode.msr(0x8000_001f_4000_0004).lines == [
                "CPUID_REQ 0x8000001f ebx", "MSR protocol, GHCBInfo 0x4: request of the guest",
            ])
        #expect(
            Decode.msr(0x1008000).lines[1] == "page protocol: the GHCB's guest physical address")
        #expect(Decode.msr(0).lines[1] == "no GHCB is set")
        #expect(Decode.msr(0x3081).lines[1].hasSuffix("answer of the hypervisor"))
        #expect(Decode.msr(0x10).lines.last?.contains("belongs to SEV-SNP") == true)
        #expect(Decode.msr(0x1008080).lines.last?.contains("not page-aligned") == true)
        #expect(Decode.msr(0x777).lines[1].hasSuffix("no code of the protocol"))
        let value = Decode.msr(0xaf100).value
        #expect(value["name"] == .text("TERM_REQ"))
        #expect(value["data"] == .text("0xaf"))
        #expect(
            value["details"] == .list([.text("set 15 code 10: SVSM SEV_FEATURES of VMPL0")]))
    }

    @Test("an exit code with its infos reads like the specification")
    func exit() {
        #expect(
            Decode.exit(.ioio, info1: 0x03f8_0e1c, info2: 5).lines == [
                "0x7b IOIO, event of version 1",
                "SW_EXITINFO1 0x3f80e1c: OUT, port 0x3f8, 1 byte, string, REP, 64-bit addresses,"
                    + " segment DS",
                "SW_EXITINFO2 0x5: 5 units",
                "needs SW_EXITCODE, SW_EXITINFO1, SW_EXITINFO2, SW_SCRATCH",
            ])
        #expect(
            Decode.exit(.mmioRead, info1: 0xfee0_0000, info2: 4).lines[1...2] == [
                "SW_EXITINFO1 0xfee00000: read from guest physical address 0xfee00000",
                "SW_EXITINFO2 0x4: 4 bytes",
            ])
        #expect(Decode.exit(.rdtsc).lines.last?.hasPrefix("KVM 6.12: RDTSC (0x6e)") == true)
        #expect(Decode.exit(.psc).lines[0] == "0x80000010 PSC, event of version 2, SEV-SNP only")
        #expect(
            Decode.exit(.init(0x78)).lines == [
                "0x78 HLT, an exit code, no event of the GHCB protocol: an automatic exit,"
                    + " without #VC"
            ])
        #expect(
            Decode.exit(.init(0x1234), info1: 1).lines[0]
                == "0x1234, no exit code and no event of the GHCB protocol")
        #expect(Decode.exit(.cpuid).value["info1"] == .text("unknown"))
    }

    @Test("every code of the tables has a text")
    func everyCode() {
        for row in ExitCode.table {
            for info1 in [UInt64(0), 1, 2, .max] {
                let decoding = Decode.exit(row.code, info1: info1, info2: .max)
                #expect(decoding.lines[0].contains(row.name))
                #expect(decoding.lines.allSatisfy { !$0.isEmpty })
            }
        }
        for info in 0..<UInt64(0x1000) {
            #expect(Decode.msr(info).lines.count >= 2)
            #expect(Decode.msr(~0xfff | info).lines.allSatisfy { !$0.isEmpty })
        }
    }

    @Test("SW_EXITINFO1 and 2 as an answer")
    func answer() {
        #expect(
            Decode.answer(info1: 2, info2: 6).lines
                == ["malformed request: invalid event (6, INVALID_EVENT)"])
        #expect(
            Decode.answer(info1: 1, info2: 0x8000_030d).lines
                == ["the hypervisor asks the guest to raise #GP"])
        #expect(Decode.answer(info1: 1, info2: 0x20).lines[0].hasSuffix("do not accept"))
        #expect(Decode.answer(info1: 0, info2: 0).lines == ["done"])
        #expect(Decode.answer(info1: 2, info2: 99).lines[0].hasSuffix("unknown reason 0x63"))
        #expect(Decode.answer(info1: 7, info2: 0).lines[0].hasPrefix("SW_EXITINFO1 0x7"))
    }

    @Test("a page shows its valid fields with offsets, and what is wrong with it")
    func page() {
        let page = GHCBPage.correct(.cpuid, 0, 0, [.rax: 1, .r8: 2])
        let decoding = Decode.page(page)
        #expect(decoding.lines[0] == "0x72 CPUID, event of version 1")
        #expect(decoding.lines.contains("0x1f8  RAX               0x1"))
        #expect(decoding.lines.contains("0xffa  PROTOCOL_VERSION  0x1"))
        #expect(
            decoding.lines.suffix(2) == [
                "error: missing-input: CPUID (0x72): RCX is not valid in VALID_BITMAP",
                "warning: unexpected-valid: CPUID (0x72) does not need R8 (0x2), marked valid",
            ])
        #expect(
            decoding.value["fields"]?["rax"]
                == .record([
                    .init("offset", .number(0x1f8)), .init("value", .text("0x1")),
                    .init("valid", .flag(true)),
                ]))
        // Nothing says that an empty page is a request.
        #expect(Decode.page(GHCBPage()).value["findings"] == .list([]))
    }

    @Test("the words of a page that the hypervisor has taken are its answer, not a request")
    func taken() {
        func lines(_ info1: UInt64, _ info2: UInt64, rax: Bool) -> [String] {
            var page = GHCBPage.correct(.ioio, info1, info2).without(.swExitCode)
            if rax { page.set(.rax, to: 0) }
            return Decode.page(page).lines
        }
        #expect(lines(2, 4, rax: false)[1].hasSuffix("missing input (4, MISSING_INPUT)"))
        #expect(lines(1, 0x8000_030d, rax: true)[1].hasSuffix("to raise #GP"))
        #expect(lines(0, 0, rax: true)[1].hasSuffix("; done"))
        #expect(lines(0, 0, rax: false)[1].hasSuffix("; accepted, perhaps not done yet"))
        for info1 in UInt64(0)...2 {
            #expect(lines(info1, 0, rax: true).allSatisfy { !$0.contains("port") })
        }
        // A request whose mark is missing is none of those.
        #expect(lines(0x3f8_0210, 0, rax: true)[1] == "SW_EXITCODE is not valid")
        #expect(lines(0x3f8_0210, 0, rax: true)[2].contains("port 0x3f8"))
        #expect(Decode.page(GHCBPage()).lines[1] == "SW_EXITCODE is not valid")
    }

    @Test("the page state change descriptor")
    func descriptor() throws {
        var bytes = [UInt8](repeating: 0, count: 2032)
        bytes[2] = 1
        bytes.replaceSubrange(
            8..<24, with: [5, 0x30, 2, 0, 0, 0, 0x20, 1, 0, 0, 0x40, 0, 0, 0, 0xf0, 0])
        let descriptor = try #require(PSCDescriptor(bytes))
        #expect(descriptor.currentEntry == 0)
        #expect(descriptor.endEntry == 1)
        #expect(descriptor.entries.count == 2)
        #expect(descriptor.entries[0].currentPage == 5)
        #expect(descriptor.entries[0].address == .init(0x23000))
        #expect(descriptor.entries[0].operation == .shared)
        #expect(descriptor.entries[0].isTwoMegabytes)
        #expect(descriptor.entries[1].operation == nil)
        #expect(PSCDescriptor([1, 2, 3]) == nil)
        let hostile = [UInt8](repeating: 0xff, count: 100)
        #expect(PSCDescriptor(hostile)?.entries.count == 11)
        let full = [UInt8](repeating: 0xff, count: 5000)
        #expect(PSCDescriptor(full)?.entries.count == PSCDescriptor.maximumEntries)
        #expect(PSCDescriptor.result(1 << 32 | 2) == "invalid entry")
    }

    @Test("features and policy by their bits")
    func bits() {
        #expect(SEVFeatures(rawValue: 1 << 63 | 0x21).names.first == "SNP_ACTIVE")
        #expect(SEVFeatures.debugSwap.names == ["DEBUG_SWAP"])
        #expect(SEVFeatures(rawValue: 1 << 40).names == ["bit 40"])
        let policy = GuestPolicy(rawValue: 0x3301_0005)
        #expect(policy.names == ["NODBG", "ES"])
        #expect(policy.firmwareVersion == (1, 0x33))
        #expect(TerminationReason(set: 1, code: 12).meaning == "Secure AVIC")
        #expect(TerminationReason(set: 15, code: 2).meaning == "SVSM unhandled #VC")
        #expect(TerminationReason(set: 7, code: 0).owner == "vendor")
        #expect(TerminationReason(set: 7, code: 0).meaning == nil)
        #expect(TerminationReason(set: 15, code: 13).meaning == nil)
    }

    @Test("SEV_FEATURES is SEV_STATUS shifted down by two bits")
    func shifted() {
        for bit in 2..<18 {
            let status = SEVStatus(rawValue: 1 << UInt64(bit)).names
            let features = SEVFeatures(rawValue: 1 << UInt64(bit - 2)).names
            #expect(bit == 2 ? status == ["SNP"] : status == features, "bit \(bit)")
        }
    }
}
