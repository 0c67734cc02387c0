import Testing

@testable import VCPUControl

@Suite("Integer instructions")
struct IntegerTests {
    /// An instruction that works on RAX, RCX and RDX, with its outcome; flags where all are defined.
    struct Case: Sendable, CustomStringConvertible {
        var description: String
        var bytes: [UInt8]
        var rax: UInt64 = 0
        var rcx: UInt64 = 0
        var rdx: UInt64 = 0
        var flags = ""
        var expectRAX: UInt64
        var expectRCX: UInt64?
        var expectRDX: UInt64?
        var expectFlags: String?
        /// Letters of the flags that are compared.
        var defined = "cpazso"

        init(
            _ description: String, _ bytes: [UInt8], rax: UInt64 = 0, rcx: UInt64 = 0,
            rdx: UInt64 = 0, flags: String = "", gives: UInt64, newRCX expectRCX: UInt64? = nil,
            newRDX expectRDX: UInt64? = nil, newFlags expectFlags: String? = nil,
            defined: String = "cpazso"
        ) {
            (self.description, self.bytes) = (description, bytes)
            (self.rax, self.rcx, self.rdx, self.flags) = (rax, rcx, rdx, flags)
            (expectRAX, self.expectRCX, self.expectRDX) = (gives, expectRCX, expectRDX)
            (self.expectFlags, self.defined) = (expectFlags, defined)
        }
    }

    static let shifts = [
        Case(
            "shl al, 9", [0xc0, 0xe0, 9], rax: 0x1ff, gives: 0x100, newFlags: "pz", defined: "pzs"),
        Case(
            "shl eax, 0", [0xc1, 0xe0, 0], rax: ~0, flags: "co", gives: 0xffff_ffff, newFlags: "co"),
        Case(
            "shl eax, 1", [0xd1, 0xe0], rax: 0x8000_0001, gives: 2, newFlags: "co",
            defined: "cpzso"),
        Case(
            "shr rax, 1", [0x48, 0xd1, 0xe8], rax: 1 << 63 | 1, gives: 1 << 62, newFlags: "cpo",
            defined: "cpzso"),
        Case(
            "sar eax, cl", [0xd3, 0xf8], rax: 0x8000_0000, rcx: 31, gives: 0xffff_ffff,
            newFlags: "ps", defined: "cpzs"),
        Case(
            "sar eax, cl of 32", [0xd3, 0xf8], rax: 5, rcx: 32, flags: "cz", gives: 5,
            newFlags: "cz"),
        Case(
            "rol al, 8", [0xc0, 0xc0, 8], rax: 0x81, flags: "zs", gives: 0x81, newFlags: "czs",
            defined: "cpazs"),
        Case(
            "ror eax, 1", [0xd1, 0xc8], rax: 1, flags: "z", gives: 0x8000_0000, newFlags: "czo"),
        Case("rcl al, 9", [0xc0, 0xd0, 9], rax: 0x5a, flags: "c", gives: 0x5a, newFlags: "c"),
        Case("rcl al, 1", [0xd0, 0xd0], rax: 0x80, flags: "c", gives: 1, newFlags: "co"),
        Case(
            "rcr eax, 2", [0xc1, 0xd8, 2], rax: 2, flags: "c", gives: 0x4000_0000, newFlags: "c",
            defined: "cpazs"),
        Case(
            "shld eax, ecx, 4", [0x0f, 0xa4, 0xc8, 4], rax: 0x1234_5678, rcx: 0xabcd_ef01,
            gives: 0x2345_678a, newFlags: "c", defined: "czs"),
        Case(
            "shrd rax, rcx, 4", [0x48, 0x0f, 0xac, 0xc8, 4], rax: 0x18, rcx: 5,
            gives: 5 << 60 | 1, newFlags: "c", defined: "czs"),
    ]

    static let products = [
        Case(
            "mul ecx", [0xf7, 0xe1], rax: 0x8000_0000, rcx: 6, gives: 0, newRDX: 3, newFlags: "co",
            defined: "co"),
        Case(
            "mul cl", [0xf6, 0xe1], rax: 0xff10, rcx: 16, gives: 0x100, newFlags: "co",
            defined: "co"),
        Case(
            "imul cl", [0xf6, 0xe9], rax: 0xfe, rcx: 3, gives: 0xfffa, newFlags: "", defined: "co"),
        Case(
            "imul rcx", [0x48, 0xf7, 0xe9], rax: 1 << 63, rcx: 2, gives: 0, newRDX: .max,
            newFlags: "co", defined: "co"),
        Case(
            "imul eax, ecx, -3", [0x6b, 0xc1, 0xfd], rax: ~0, rcx: 5, gives: 0xffff_fff1,
            newFlags: "", defined: "co"),
        Case("div cl", [0xf6, 0xf1], rax: 0x1ff, rcx: 2, gives: 0x1ff),
        Case(
            "div rcx", [0x48, 0xf7, 0xf1], rax: 6, rcx: 4, rdx: 1, gives: 0x4000_0000_0000_0001,
            newRDX: 2),
        Case(
            "idiv ecx", [0xf7, 0xf9], rax: 0xffff_fff9, rcx: 2, rdx: ~0, gives: 0xffff_fffd,
            newRDX: 0xffff_ffff),
        Case(
            "idiv rcx, wide", [0x48, 0xf7, 0xf9], rax: 0, rcx: 8, rdx: ~0, gives: 0xe << 60,
            newRDX: 0
        ),
        Case(
            "mulx rax, rdx, rcx", [0xc4, 0xe2, 0xeb, 0xf6, 0xc1], rcx: 4, rdx: 3 << 62, gives: 3,
            newRDX: 0),
    ]

    static let moves = [
        Case("mov eax, ecx", [0x89, 0xc8], rax: ~0, rcx: ~1, gives: 0xffff_fffe),
        Case("mov ax, cx", [0x66, 0x89, 0xc8], rax: ~0, rcx: 1, gives: ~0xfffe),
        Case("mov ah, cl", [0x88, 0xcc], rax: ~0, rcx: 1, gives: ~0xfe00),
        Case("mov al, spl", [0x40, 0x88, 0xe0], gives: 0),
        Case("movzx eax, ch", [0x0f, 0xb6, 0xc5], rax: ~0, rcx: 0xab00, gives: 0xab),
        Case("movsx ax, cl", [0x66, 0x0f, 0xbe, 0xc1], rcx: 0x80, gives: 0xff80),
        Case("movsxd rax, ecx", [0x48, 0x63, 0xc1], rcx: 0x8000_0000, gives: ~0x7fff_ffff),
        Case("xchg rax, rcx", [0x48, 0x91], rax: 1, rcx: 2, gives: 2, newRCX: 1),
        Case("xchg eax, ecx", [0x91], rax: ~0, rcx: ~1, gives: 0xffff_fffe, newRCX: 0xffff_ffff),
        Case("cmovz eax, ecx", [0x0f, 0x44, 0xc1], rax: ~0, rcx: 1, gives: 0xffff_ffff),
        Case("setg ah", [0x0f, 0x9f, 0xc4], rax: ~0, gives: ~0xfe00),
        Case("bswap eax", [0x0f, 0xc8], rax: 0x1122_3344, gives: 0x4433_2211),
        Case("lea eax, [rcx+rdx*8-1]", [0x8d, 0x44, 0xd1, 0xff], rcx: ~0, rdx: 1, gives: 6),
        Case("lea rax, [ecx-4]", [0x67, 0x48, 0x8d, 0x41, 0xfc], rcx: 3, gives: 0xffff_ffff),
        Case("lea rax, [rip+1]", [0x48, 0x8d, 0x05, 1, 0, 0, 0], gives: 0x1008),
        Case("cbw", [0x66, 0x98], rax: 0x80, gives: 0xff80),
        Case("cdqe", [0x48, 0x98], rax: 0x8000_0000, gives: ~0x7fff_ffff),
        Case("cqo", [0x48, 0x99], rax: 1 << 63, gives: 1 << 63, newRDX: ~0),
        Case("lahf", [0x9f], flags: "cz", gives: 0x4300, newFlags: "cz"),
        Case("sahf", [0x9e], rax: 0x4300, flags: "o", gives: 0x4300, newFlags: "czo"),
        Case("cmc", [0xf5], flags: "o", gives: 0, newFlags: "co"),
        Case(
            "cmpxchg ecx, edx: equal", [0x0f, 0xb1, 0xd1], rax: ~0, rcx: 0xffff_ffff, rdx: 7,
            gives: ~0, newRCX: 7, newFlags: "pz"),
        Case(
            "cmpxchg ecx, edx: other", [0x0f, 0xb1, 0xd1], rax: 1, rcx: 2, rdx: 7, gives: 2,
            newRCX: 2, newFlags: "cpas"),
        Case(
            "xadd ecx, eax", [0x0f, 0xc1, 0xc1], rax: 1, rcx: 2, gives: 2, newRCX: 3, newFlags: "p"),
    ]

    static let bits = [
        Case(
            "bt rax, 65", [0x48, 0x0f, 0xba, 0xe0, 65], rax: 2, gives: 2, newFlags: "c",
            defined: "c"),
        Case(
            "btr eax, ecx", [0x0f, 0xb3, 0xc8], rax: 7, rcx: 33, gives: 5, newFlags: "c",
            defined: "c"),
        Case(
            "bsf eax, ecx of 0", [0x0f, 0xbc, 0xc1], rax: 9, gives: 9, newFlags: "z", defined: "z"),
        Case(
            "bsr eax, ecx", [0x0f, 0xbd, 0xc1], rcx: 0x1000, gives: 12, newFlags: "", defined: "z"),
        Case(
            "tzcnt eax, ecx of 0", [0xf3, 0x0f, 0xbc, 0xc1], gives: 32, newFlags: "c", defined: "cz"
        ),
        Case(
            "lzcnt rax, rcx", [0xf3, 0x48, 0x0f, 0xbd, 0xc1], rcx: ~0, gives: 0, newFlags: "z",
            defined: "cz"),
        Case(
            "popcnt eax, ecx", [0xf3, 0x0f, 0xb8, 0xc1], rcx: ~0, flags: "cpo", gives: 32,
            newFlags: ""
        ),
        Case(
            "blsr rax, rcx", [0xc4, 0xe2, 0xf8, 0xf3, 0xc9], rcx: 12, gives: 8, newFlags: "",
            defined: "czso"),
        Case(
            "bextr eax, ecx, edx", [0xc4, 0xe2, 0x68, 0xf7, 0xc1], rcx: 0xabcd, rdx: 0x804,
            gives: 0xbc),
        Case(
            "bzhi eax, ecx, edx", [0xc4, 0xe2, 0x68, 0xf5, 0xc1], rcx: 0xff, rdx: 0x1ff,
            gives: 0xff,
            newFlags: "c", defined: "czso"),
        Case("pdep eax, ecx, edx", [0xc4, 0xe2, 0x73, 0xf5, 0xc2], rcx: 5, rdx: 0xf0, gives: 0x50),
        Case("pext eax, ecx, edx", [0xc4, 0xe2, 0x72, 0xf5, 0xc2], rcx: 0x5a, rdx: 0xf0, gives: 5),
        Case(
            "rorx eax, ecx, 8", [0xc4, 0xe3, 0x7b, 0xf0, 0xc1, 8], rcx: 0x1122_3344,
            gives: 0x4411_2233),
        Case(
            "sarx eax, ecx, edx", [0xc4, 0xe2, 0x6a, 0xf7, 0xc1], rcx: 0x8000_0000, rdx: 36,
            gives: 0xf800_0000),
        Case(
            "adcx eax, ecx", [0x66, 0x0f, 0x38, 0xf6, 0xc1], rax: ~0, flags: "coz", gives: 0,
            newFlags: "coz"),
        Case(
            "adox eax, ecx", [0xf3, 0x0f, 0x38, 0xf6, 0xc1], rax: ~0, flags: "o", gives: 0,
            newFlags: "o"),
    ]

    @Test("one instruction, by hand", arguments: shifts + products + moves + bits)
    func instruction(_ test: Case) throws {
        var bare = try BareVCPU(test.bytes)
        (bare[.rax], bare[.rcx], bare[.rdx]) = (test.rax, test.rcx, test.rdx)
        bare.status = status(test.flags)
        #expect(bare.execute() == nil)
        #expect(bare[.rax] == test.expectRAX)
        #expect(bare[.rcx] == test.expectRCX ?? test.rcx)
        #expect(bare[.rdx] == test.expectRDX ?? test.rdx)
        if let flags = test.expectFlags {
            #expect(bare.status & status(test.defined) == status(flags))
        }
        #expect(bare.vcpu.rip == BareVCPU.code + UInt64(test.bytes.count))
        #expect(bare.vcpu.retired == 1)
    }
}
