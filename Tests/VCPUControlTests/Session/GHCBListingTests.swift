import Testing

@testable import VCPUControl

@Suite("info ghcb")
struct GHCBListingTests {
    private static func lines(_ program: GuestProgram, _ commands: String...) throws -> [String] {
        let session = try Session.onEmulator(program.image, LaunchOptions())
        var lines: [String] = []
        for command in commands + ["info ghcb"] {
            session.submit(command)
            while let event = session.next() {
                guard command == "info ghcb", case .result(let result) = event else { continue }
                lines = try result.outcome.get().lines
            }
        }
        return lines
    }

    @Test("request, answer and page stand side by side, and the steps between them below")
    func table() throws {
        let program = GuestProgram {
            $0.begin()
            $0.set(.rax, 0x41)
            $0.send(.ioio, 0x3f8_0210)
            $0.begin()
        }
        let lines = try Self.lines(program, "vmgexit")
        #expect(
            lines == [
                "vCPU 0  MSR_AMD64_SEV_ES_GHCB (0xc0010130)  0x1004000  GHCB at 0x1004000",
                "#1    vCPU 0  0x1000a9  IOIO OUT 0x3f8 8 bit 0x41",
                "field        offset bit request            response           page now",
                "rax          0x1f8   63 0x41               0x41               0x41",
                "rcx          0x308   97                    0x0                0x0",
                "rdx          0x310   98                    0x0                0x0",
                "rbx          0x318   99                    0x0                0x0",
                "sw_exitcode  0x390  114 0x7b                                  <not valid>",
                "sw_exitinfo1 0x398  115 0x3f80210          0x0                0x0",
                "sw_exitinfo2 0x3a0  116 0x0                0x0                0x0",
                "what KVM did to the page:",
                "  1  the guest executes VMGEXIT",
                "  3  KVM copies the valid fields and clears the bitmap",
                "  4  KVM accepts the request: sw_exitinfo1=0x0 sw_exitinfo2=0x0",
                "  5  KVM_RUN returns: KVM_EXIT_IO",
                "  6  KVM answers, just before VMRUN: rax=0x41 rcx=0x0 rdx=0x0 rbx=0x0",
            ])
    }

    @Test("before the first VMGEXIT there may be no page")
    func fresh() throws {
        #expect(
            try Self.lines(GuestProgram { _ in }) == [
                "vCPU 0  MSR_AMD64_SEV_ES_GHCB (0xc0010130)  0x2000133000001"
                    + "  SEV_INFO_RESP versions 1-2, C-bit 51",
                "no VMGEXIT yet", "no page now",
            ])
    }

    @Test("a request of the MSR protocol leaves the page to what is in it")
    func msrProtocol() throws {
        let program = GuestProgram {
            $0.begin()
            $0.set(.rax, 0x41)
            $0.writeMSR(0x002)
            $0.vmgexit()
            $0.restoreMSR()
        }
        let lines = try Self.lines(program, "vmgexit", "stepi 7")
        #expect(lines[1].hasSuffix("SEV_INFO_REQ -> versions 1-2, C-bit 51"))
        #expect(lines[3] == "rax          0x1f8   63" + String(repeating: " ", count: 39) + "0x41")
        #expect(!lines.contains("what KVM did to the page:"))
    }
}
