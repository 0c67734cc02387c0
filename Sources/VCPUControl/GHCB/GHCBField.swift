/// A named field of the GHCB page; the raw value is its offset, so no two fields share a place.
///
/// The valid bitmap and the shared buffer are wider than a register: see `GHCBPage`.
/// GHCB specification, table "GHCB layout"; REFERENCE 1.
package enum GHCBField: UInt16, CaseIterable, Sendable {
    case cpl = 0x0cb
    case xss = 0x140
    case dr7 = 0x160
    case rip = 0x178
    case rsp = 0x1d8
    case rax = 0x1f8
    case rcx = 0x308
    case rdx = 0x310
    case rbx = 0x318
    case rbp = 0x328
    case rsi = 0x330
    case rdi = 0x338
    case r8 = 0x340
    case r9 = 0x348
    case r10 = 0x350
    case r11 = 0x358
    case r12 = 0x360
    case r13 = 0x368
    case r14 = 0x370
    case r15 = 0x378
    case swExitCode = 0x390
    case swExitInfo1 = 0x398
    case swExitInfo2 = 0x3a0
    case swScratch = 0x3a8
    case xcr0 = 0x3e8
    case x87StateGPA = 0x400
    case protocolVersion = 0xffa
    case ghcbUsage = 0xffc

    /// The distance from the start of the page in bytes.
    package var offset: Int { Int(rawValue) }

    /// The size in bytes.
    package var size: Int {
        switch self {
        case .cpl: 1
        case .protocolVersion: 2
        case .ghcbUsage: 4
        default: 8
        }
    }

    /// The bytes of the page that it takes up.
    package var range: Range<Int> { offset..<offset + size }

    /// The bit in the valid bitmap, 0…127; `nil` for the fields that the 128 bits do not reach.
    ///
    /// One bit stands for eight bytes of the page's first 1024. It is never cut to fit: version
    /// and usage have no bit, rather than somebody else's.
    package var validBit: Int? { rawValue < 0x400 ? offset / 8 : nil }

    /// The name in the specification, lower-cased.
    package var name: String {
        switch self {
        case .cpl: "cpl"
        case .xss: "xss"
        case .dr7: "dr7"
        case .rip: "rip"
        case .rsp: "rsp"
        case .rax: "rax"
        case .rcx: "rcx"
        case .rdx: "rdx"
        case .rbx: "rbx"
        case .rbp: "rbp"
        case .rsi: "rsi"
        case .rdi: "rdi"
        case .r8: "r8"
        case .r9: "r9"
        case .r10: "r10"
        case .r11: "r11"
        case .r12: "r12"
        case .r13: "r13"
        case .r14: "r14"
        case .r15: "r15"
        case .swExitCode: "sw_exitcode"
        case .swExitInfo1: "sw_exitinfo1"
        case .swExitInfo2: "sw_exitinfo2"
        case .swScratch: "sw_scratch"
        case .xcr0: "xcr0"
        case .x87StateGPA: "x87_state_gpa"
        case .protocolVersion: "protocol_version"
        case .ghcbUsage: "ghcb_usage"
        }
    }

    /// The name as the specification writes it.
    package var specName: String { name.uppercased() }
}
