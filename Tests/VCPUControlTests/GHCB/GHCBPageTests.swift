import Testing
import VCPUControl

@Suite("GHCB page")
struct GHCBPageTests {
    /// REFERENCE 1, row by row: name, offset, size, valid bit.
    static let layout: [(String, Int, Int, Int?)] = [
        ("cpl", 0x0cb, 1, 25), ("xss", 0x140, 8, 40), ("dr7", 0x160, 8, 44),
        ("rip", 0x178, 8, 47), ("rsp", 0x1d8, 8, 59), ("rax", 0x1f8, 8, 63),
        ("rcx", 0x308, 8, 97), ("rdx", 0x310, 8, 98), ("rbx", 0x318, 8, 99),
        ("rbp", 0x328, 8, 101), ("rsi", 0x330, 8, 102), ("rdi", 0x338, 8, 103),
        ("r8", 0x340, 8, 104), ("r9", 0x348, 8, 105), ("r10", 0x350, 8, 106),
        ("r11", 0x358, 8, 107), ("r12", 0x360, 8, 108), ("r13", 0x368, 8, 109),
        ("r14", 0x370, 8, 110), ("r15", 0x378, 8, 111), ("sw_exitcode", 0x390, 8, 114),
        ("sw_exitinfo1", 0x398, 8, 115), ("sw_exitinfo2", 0x3a0, 8, 116),
        ("sw_scratch", 0x3a8, 8, 117), ("xcr0", 0x3e8, 8, 125),
        ("x87_state_gpa", 0x400, 8, nil), ("protocol_version", 0xffa, 2, nil),
        ("ghcb_usage", 0xffc, 4, nil),
    ]

    @Test("the field table is the specification's")
    func fields() {
        #expect(GHCBField.allCases.count == Self.layout.count)
        for (field, row) in zip(GHCBField.allCases, Self.layout) {
            #expect(field.name == row.0)
            #expect(field.offset == row.1)
            #expect(field.size == row.2)
            #expect(field.validBit == row.3)
        }
        #expect(GHCBField.swExitInfo1.specName == "SW_EXITINFO1")
    }

    @Test(
        "setting a field writes its bytes and its bit, and nothing else",
        arguments: GHCBField.allCases)
    func setting(_ field: GHCBField) {
        var page = GHCBPage()
        page.set(field, to: 0xfedc_ba98_7654_3210)
        var expected = [UInt8](repeating: 0, count: 4096)
        let value: [UInt8] = [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe]
        expected.replaceSubrange(
            field.offset..<field.offset + field.size, with: value[..<field.size])
        if let bit = field.validBit { expected[0x3f0 + bit / 8] = 1 << UInt8(bit % 8) }
        #expect(page.bytes == expected)
        #expect(page.validFields == (field.validBit == nil ? [] : [field]))
        #expect(page.unnamedValidBits.isEmpty)
    }

    @Test("a field that is not valid has no value", arguments: GHCBField.allCases)
    func readings(_ field: GHCBField) {
        var page = GHCBPage()
        page.setRaw(field, to: 0x12)
        #expect(page.raw(field) == 0x12)
        let isReadable = field.validBit == nil
        #expect(
            page.reading(field) == (isReadable ? .known(0x12, from: .ghcb) : .hidden(.notValid)))
        page.set(field, to: 0x34)
        #expect(page.reading(field, from: .direct) == .known(0x34, from: .direct))
        page.invalidate(field)
        #expect(page.value(field) == (isReadable ? 0x34 : nil))
    }

    @Test("version and usage do not alias the bitmap's last bits")
    func noAliasing() {
        var page = GHCBPage()
        page.set(.protocolVersion, to: 2)
        page.set(.ghcbUsage, to: 0xffff_ffff)
        #expect(page.bytes[0x3f0..<0x400].allSatisfy { $0 == 0 })
        #expect(page.protocolVersion == 2)
        #expect(page.usage == 0xffff_ffff)
        page.invalidate(.ghcbUsage)
        #expect(page.usage == 0xffff_ffff)
    }

    @Test("bits that name no field are told apart")
    func unnamedBits() {
        var bytes = GHCBPage().bytes
        bytes[0x3ff] = 0xc0
        bytes[0x3f0] = 1
        let page = GHCBPage(bytes)
        #expect(page?.unnamedValidBits == [0, 126, 127])
        #expect(page?.validFields == [])
    }

    @Test("scratch data stays within the shared buffer")
    func scratch() {
        var page = GHCBPage()
        #expect(page.sharedBuffer.count == 0x7f0)
        let places: [([UInt8], Int, Bool)] = [
            ([1, 2, 3], 0x800, true), ([9], 0xfef, true), ([9, 9], 0xfef, false),
            ([9], 0x7ff, false), ([9], -1, false), ([], .max, false),
        ]
        for (data, offset, fits) in places {
            let isWritten = page.setScratch(data, at: offset)
            #expect(isWritten == fits)
        }
        #expect(page.scratch(at: 0x801, count: 2) == [2, 3])
        #expect(page.scratch(at: 0xff0, count: 0) == nil)
        #expect(page.scratch(at: 0x800, count: .max) == nil)
        #expect(page.scratch(at: 0x800, count: -1) == nil)
    }

    @Test("a page has 4096 bytes")
    func size() {
        #expect(GHCBPage([UInt8](repeating: 0, count: 4095)) == nil)
        #expect(GHCBPage([UInt8](repeating: 0, count: 4096)) == GHCBPage())
    }
}
