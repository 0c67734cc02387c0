/// A reproducible source of random numbers: splitmix64.
struct FuzzRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next() >> 32) }

    /// A number in 0..<count.
    mutating func below(_ count: Int) -> Int {
        Int(truncatingIfNeeded: ((next() >> 32) &* UInt64(count)) >> 32)
    }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// One of the values.
    mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    /// A general register's value, with a bent for the edges of the widths.
    mutating func value() -> UInt64 {
        switch below(10) {
        case 0...2: return next()
        case 3: return next() & 0xffff_ffff
        case 4: return UInt64(below(64))
        case 5: return 0 &- UInt64(below(64))
        case 6: return 1 << UInt64(below(64))
        case 7: return (1 << UInt64(below(64))) &- 1
        case 8: return next() >> UInt64(below(64))
        default: return pick(Self.edges)
        }
    }

    private static let edges: [UInt64] = [
        0, 1, .max, 1 << 63, .max >> 1, 0x8000_0000, 0x7fff_ffff, 0xffff_ffff,
        0xffff_ffff_8000_0000,
        0x8000, 0x7fff, 0x80, 0x7f, 0xff, 0x80_0000_0000, 0x0101_0101_0101_0101,
    ]

    /// A quadword of an XMM register, with a bent for the edges of the floating-point formats.
    mutating func vectorQuadword() -> UInt64 {
        switch below(8) {
        case 0, 1: return next()
        case 2: return pick(Self.doubles) | next() & 1 << 63
        case 3: return pick(Self.doubles) &+ UInt64(below(3)) &- 1
        case 4, 5: return single() << 32 | single()
        case 6: return Double(Int64(bitPattern: next()) >> Int64(below(64))).bitPattern
        default: return value()
        }
    }

    private mutating func single() -> UInt64 {
        switch below(4) {
        case 0: return next() >> 32
        case 1: return UInt64(Float(Int32(truncatingIfNeeded: next()) >> below(32)).bitPattern)
        default: return pick(Self.singles) | next() & 1 << 31
        }
    }

    /// Zero, one, the ends of the normal and denormal numbers, infinity, NaNs, ends of the integers.
    private static let doubles: [UInt64] = [
        0, 0x3ff0_0000_0000_0000, 1, 0x000f_ffff_ffff_ffff, 0x0010_0000_0000_0000,
        0x7fef_ffff_ffff_ffff, 0x7ff0_0000_0000_0000, 0x7ff0_0000_0000_0001, 0x7ff8_0000_0000_0000,
        0x41df_ffff_ffc0_0000, 0x41e0_0000_0000_0000, 0x43e0_0000_0000_0000, 0x4340_0000_0000_0000,
        0x47ef_ffff_e000_0000, 0x3810_0000_0000_0000, 0x36a0_0000_0000_0000, 0x4008_0000_0000_0000,
    ]
    private static let singles: [UInt64] = [
        0, 0x3f80_0000, 1, 0x007f_ffff, 0x0080_0000, 0x7f7f_ffff, 0x7f80_0000, 0x7f80_0001,
        0x7fc0_0000, 0x4f00_0000, 0x5f00_0000, 0x4b80_0000, 0x3f00_0000, 0x4040_0000, 0x0080_0001,
    ]
}
