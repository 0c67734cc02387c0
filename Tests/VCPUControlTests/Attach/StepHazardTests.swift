import CKVM
import Testing

@testable import VCPUControl

/// What is known of instructions before KVM steps over them.
@Suite("Hazards of steps")
struct StepHazardTests {
    static let hazards: [([UInt8], StepHazard)] = [
        ([0xf4], .halt), ([0x66, 0xf4], .halt),
        ([0x9c], .pushesFlags(hasOperandSize: false)),
        ([0x66, 0x9c], .pushesFlags(hasOperandSize: true)),
        ([0x48, 0x9c], .pushesFlags(hasOperandSize: false)),
        ([0x9d], .loadsFlags), ([0x0f, 0x07], .loadsFlags), ([0x48, 0x0f, 0x07], .loadsFlags),
        ([0xcf], .interruptReturn(isQuad: false)), ([0x48, 0xcf], .interruptReturn(isQuad: true)),
        ([0x0f, 0x22, 0xd8], .changesMapping), ([0x0f, 0x01, 0x38], .changesMapping),
        ([0xff, 0x2b], .changesMapping), ([0xff, 0x1b], .changesMapping),
        ([0xea, 0, 0, 0, 0], .changesMapping), ([0xcb], .changesMapping),
        ([], .unknown), ([0x66], .unknown), ([0x0f], .unknown),
    ]

    @Test("halts, flags and far transfers, with prefixes", arguments: hazards)
    func hazard(bytes: [UInt8], hazard: StepHazard) { #expect(StepHazard(bytes) == hazard) }

    @Test(
        "everything else can be stepped unseen",
        arguments: [
            [0x90], [0x48, 0x89, 0xd8], [0xff, 0xc0], [0xff, 0x10], [0xff, 0x20], [0x0f, 0x05],
            [0x0f, 0x20, 0xd8], [0x0f, 0x01, 0xd9], [0xf3, 0x0f, 0x01, 0xd9], [0xe4, 0x60], [0xcc],
        ] as [[UInt8]])
    func ordinary(bytes: [UInt8]) { #expect(StepHazard(bytes) == nil) }

    @Test("the table has a bit for each hazard and each breakpoint of its pages")
    func table() {
        var code = GuestCode()
        var bytes = Self.bytes
        bytes[0x123] = 0xf4
        bytes[0x124] = 0x48
        bytes[0x125] = 0xcf
        code.insert(Self.page(0x7000, bytes))
        code.insert(Self.page(0x9000, nil))
        let table = code.table([0x7008, 0x8009, 0x9001])
        #expect(table.count == 8 + 520)
        #expect(UInt64(littleEndian: table[0..<8]) == 1)
        #expect(UInt64(littleEndian: table[8..<16]) == 0x7000)
        let bits = (0..<4096).filter { table[16 + $0 / 8] >> UInt8($0 % 8) & 1 != 0 }
        #expect(bits == [0x008, 0x123, 0x124, 0x125])
        let page = code.take(0x7fff)
        #expect(page?.hazard(at: 0x7124) == .interruptReturn(isQuad: true))
        #expect(page?.hazard(at: 0x7122) == nil)
        #expect(code.take(0x9000)?.hazard(at: 0x9000) == .unknown)
        #expect(code.take(0xa000) == nil)
    }

    private static let bytes = [UInt8](repeating: 0x90, count: 4096)

    private static func page(_ address: UInt64, _ bytes: [UInt8]?) -> GuestCode.Page {
        var page = GuestCode.Page(address: address)
        page.read(bytes)
        return page
    }

    @Test("where the VMM has had the vCPU, code is read again before it is trusted")
    func doubt() throws {
        var code = GuestCode()
        code.insert(Self.page(0x7000, Self.bytes))
        code.doubt()
        #expect(UInt64(littleEndian: code.table([])[0..<8]) == 0)
        let known = code.take(0x7000)
        var page = try #require(known)
        #expect(!page.isRead)
        var bytes = Self.bytes
        bytes[8] = 0xf4
        page.read(bytes)
        #expect(page.isRead && page.hazard(at: 0x7008) == .halt)
        page.read(nil)
        #expect(page.hazard(at: 0x7008) == .unknown)
    }

    @Test("the page that was used longest ago makes room, and the table fits its place")
    func pages() throws {
        var code = GuestCode()
        for page in 0..<UInt64(GuestCode.mostPages) {
            code.insert(Self.page(page << 12, Self.bytes))
        }
        let first = code.take(0)
        code.insert(try #require(first))
        code.insert(Self.page(0x10_0000, Self.bytes))
        #expect(code.pages.count == GuestCode.mostPages)
        let size = MemoryLayout<ckvm_attach_pages>.size
        #expect(code.table([]).count == size)
        #expect(code.take(0) != nil)
        #expect(code.take(0x1000) == nil)
        #expect(Tracee.argumentSize + size <= Tracee.scratchSize)
    }

    @Test("an instruction that the page's end cuts off is not known")
    func pageEnd() {
        var bytes = Self.bytes
        bytes[4095] = 0x48
        #expect(Self.page(0x7000, bytes).hazard(at: 0x7fff) == .unknown)
    }
}
