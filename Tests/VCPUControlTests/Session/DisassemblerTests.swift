import Testing

@testable import VCPUControl

@Suite("Disassembler")
struct DisassemblerTests {
    let disassembler = Disassembler()

    private func disassemble(_ bytes: [UInt8]) -> DisassembledInstruction? {
        disassembler.disassemble(
            bytes, at: .init(0x10_0000), symbols: ScriptedSession.image.symbols)
    }

    @Test(
        "gdb's syntax, with symbols for branches",
        arguments: [
            ([0x90], "nop", .next), ([0x48, 0x89, 0xe5], "mov    %rsp,%rbp", .next),
            ([0xb8, 1, 0, 0, 0], "mov    $0x1,%eax", .next),
            ([0xe8, 0xfb, 0, 0, 0], "call   0x100100 <helper>", .call),
            ([0xeb, 0x0e], "jmp    0x100010 <guest_code+0x10>", .jump),
            ([0x74, 0xfe], "je     0x100000 <guest_code>", .jump),
            ([0x0f, 0x97, 0xc0], "seta   %al", .next),
            ([0x0f, 0x4d, 0xc1], "cmovge %ecx,%eax", .next),
            ([0xc7, 0x00, 1, 0, 0, 0], "movl   $0x1,(%rax)", .next),
            ([0x48, 0x83, 0xc0, 0x80], "add    $0xffffffffffffff80,%rax", .next),
            ([0xf3, 0xa4], "rep movsb", .next),
            ([0xf0, 0x48, 0xff, 0x03], "lock incq   (%rbx)", .next),
            ([0x48, 0xff, 0x03], "incq   (%rbx)", .next),
            ([0xf0, 0x48, 0x83, 0x03, 1], "lock addq   $0x1,(%rbx)", .next),
            ([0xe6, 0x80], "out    %al,$0x80", .next),
            ([0xc3], "ret", .return), ([0x48, 0xcf], "iretq", .return),
            ([0xf3, 0x0f, 0x01, 0xd9], "vmgexit", .next),
            ([0x48, 0x8b, 0x45, 0xf8], "mov    -0x8(%rbp),%rax", .next),
            (
                [0x48, 0x8d, 0x05, 0xf9, 0, 0, 0],
                "lea    0xf9(%rip),%rax        # 0x100100 <helper>", .next
            ),
        ] as [([UInt8], String, DisassembledInstruction.Flow)])
    func syntax(bytes: [UInt8], text: String, flow: DisassembledInstruction.Flow) {
        let instruction = disassemble(bytes)
        #expect(instruction?.text == text)
        #expect(instruction?.length == bytes.count)
        #expect(instruction?.flow == flow)
    }

    @Test("bytes that are no instruction give none")
    func none() {
        #expect(disassemble([]) == nil)
        #expect(disassemble([0x0f]) == nil)
        #expect(disassemble([0x06]) == nil)
    }

    @Test("any bytes are survived")
    func hostile() {
        var state: UInt64 = 1
        for _ in 0..<20_000 {
            let bytes = (0..<15).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            }
            let instruction = disassemble(bytes)
            #expect(instruction.map { (1...15).contains($0.length) } ?? true)
        }
    }
}
