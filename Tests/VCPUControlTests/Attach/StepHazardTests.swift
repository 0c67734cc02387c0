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
        var bytes = [UInt8](repeating: 0x90, count: 4096)
        bytes[0x123] = 0xf4
        bytes[0x124] = 0x48
        bytes[0x125] = 0xcf
        code.insert(bytes, at: 0x7000)
        code.insert(nil, at: 0x9000)
        let table = code.table([0x7008, 0x8009, 0x9001])
        #expect(table.count == 8 + 520)
        #expect(UInt64(littleEndian: table[0..<8]) == 1)
        #expect(UInt64(littleEndian: table[8..<16]) == 0x7000)
        let bits = (0..<4096).filter { table[16 + $0 / 8] >> UInt8($0 % 8) & 1 != 0 }
        #expect(bits == [0x008, 0x123, 0x124, 0x125])
        #expect(code.use(0x7124)?.hazard(at: 0x7124) == .interruptReturn(isQuad: true))
        #expect(code.use(0x7122)?.hazard(at: 0x7122) == nil)
        #expect(code.use(0x9000)?.hazard(at: 0x9000) == .unknown)
        #expect(code.use(0xa000) == nil)
    }

    @Test("the page that was used longest ago makes room, and the table fits its place")
    func pages() {
        var code = GuestCode()
        let bytes = [UInt8](repeating: 0x90, count: 4096)
        for page in 0..<UInt64(GuestCode.mostPages) { code.insert(bytes, at: page << 12) }
        _ = code.use(0)
        code.insert(bytes, at: 0x10_0000)
        #expect(code.pages.count == GuestCode.mostPages)
        #expect(code.use(0) != nil)
        #expect(code.use(0x1000) == nil)
        let size = MemoryLayout<ckvm_attach_pages>.size
        #expect(code.table([]).count == size)
        #expect(Tracee.argumentSize + size <= Tracee.scratchSize)
    }

    @Test("an instruction that the page's end cuts off is not known")
    func pageEnd() {
        var code = GuestCode()
        var bytes = [UInt8](repeating: 0x90, count: 4096)
        bytes[4095] = 0x48
        code.insert(bytes, at: 0x7000)
        #expect(code.use(0x7fff)?.hazard(at: 0x7fff) == .unknown)
    }
}
