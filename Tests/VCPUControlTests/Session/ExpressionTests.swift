import Testing

@testable import VCPUControl

@Suite("Expressions")
struct ExpressionTests {
    let scripted: ScriptedSession

    init() throws {
        scripted = try ScriptedSession { machine in
            machine.files[0][.rax] = 0xffff_ffff_8765_43f1
            machine.files[0][.rbx] = 8
            machine.ram.replaceSubrange(0x1000..<0x1008, with: [1, 2, 3, 4, 5, 6, 7, 0x80])
        }
    }

    private func value(_ text: String) -> UInt64? {
        guard case .value(let value) = scripted.answer("print \(text)") else { return nil }
        return value.value.bits
    }

    @Test(
        "operators bind and count as in C",
        arguments: [
            ("1+2*3", 7), ("(1+2)*3", 9), ("10-4-3", 3), ("-1", .max), ("- -5", 5), ("~0", .max),
            ("!3", 0), ("1<<4|1", 17), ("0xff&0x0f==0x0f", 1), ("7/2", 3), ("-7/2", 0 &- 3),
            ("7%4", 3), ("1<2", 1), ("-1<1", 1), ("0xffffffffffffffff<1", 0), ("2>=2", 1),
            ("1!=1", 0), ("0&&1/0", 0), ("1||1/0", 1), ("010", 8), ("0b101", 5), ("1 << 64", 0),
        ] as [(String, UInt64)])
    func operators(text: String, expected: UInt64) {
        #expect(value(text) == expected)
    }

    @Test(
        "registers go by all their names, and parts of them are unsigned",
        arguments: [
            ("$rax", 0xffff_ffff_8765_43f1), ("$eax", 0x8765_43f1), ("$ax", 0x43f1),
            ("$al", 0xf1), ("$ah", 0x43), ("$RBX", 8), ("$pc", 0x10_0000), ("$sp", 0x18_0000),
            ("$rax < 0", 1), ("$eax < 0", 0), ("$rsp-$rbx", 0x17_fff8), ("$r8d", 0), ("$cr3", 0),
        ] as [(String, UInt64)])
    func registers(text: String, expected: UInt64) {
        #expect(value(text) == expected)
    }

    @Test("symbols are addresses, and memory is read in units")
    func symbolsAndMemory() {
        #expect(value("guest_code+4") == 0x10_0004)
        #expect(value("{u32} 0x1000") == 0x0403_0201)
        #expect(value("{u8}(0x1000+7)") == 0x80)
        #expect(value("{u16}0x1000+1") == 0x0202)
    }

    @Test("what print has shown can be used again")
    func history() {
        #expect(value("5") == 5)
        #expect(value("$1+1") == 6)
        #expect(value("$") == 6)
        #expect(scripted.failure("print $9") == "there is no value $9 yet")
    }

    @Test(
        "what is no expression says what was expected",
        arguments: [
            ("", "expected a number, $register or symbol, but found the end of the line"),
            ("1+", "expected a number, $register or symbol, but found the end of the line"),
            ("(1", "expected ), but found the end of the line"),
            ("1 2", "`2` does not belong here"),
            ("$nope", "there is no register $nope; `info registers` lists them"),
            ("{int} 4", "{int} is no type; use {u8}, {u16}, {u32} or {u64}"),
            ("12x", "12x is no number of 64 bits; write 26, 0x1a or 032"),
            (
                "0x10000000000000000",
                "0x10000000000000000 is no number of 64 bits; write 26, 0x1a or 032"
            ),
        ])
    func syntax(text: String, message: String) {
        #expect(scripted.failure("print \(text)") == "print: \(message)")
    }

    @Test("values that cannot be had say why")
    func values() {
        #expect(scripted.failure("print 1/0") == "division by zero")
        #expect(
            scripted.failure("print nosuch")
                == "there is no symbol nosuch in the guest; give an address such as 0x100000")
        #expect(
            scripted.failure("print {u8}0x40000000")
                == "memory at 0x40000000 cannot be read: nothing is mapped there")
    }

    @Test("deep nesting is refused, not followed")
    func depth() {
        let text = String(repeating: "(", count: 2000) + "1" + String(repeating: ")", count: 2000)
        #expect(scripted.failure("print \(text)") == "print: the expression nests too deeply")
    }
}
