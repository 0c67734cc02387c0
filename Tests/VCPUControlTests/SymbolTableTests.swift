import Testing
import VCPUControl

@Suite("SymbolTable")
struct SymbolTableTests {
    let table = SymbolTable([
        .init(name: "guest_code", address: .init(0x1000), size: 0x20),
        .init(name: "late", address: .init(0x2000)),
    ])

    @Test("an address is described by the symbol that covers it")
    func describe() {
        #expect(table.describe(.init(0x1000)) == "guest_code")
        #expect(table.describe(.init(0x101f)) == "guest_code+0x1f")
        #expect(table.describe(.init(0x1020)) == nil)
        #expect(table.describe(.init(0x2fff)) == "late+0xfff")
        #expect(table.describe(.init(0xfff)) == nil)
    }
}
