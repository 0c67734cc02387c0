/// The 128 valid bits of a GHCB as one number, to compare and combine.
struct ValidBitmap: Sendable, Equatable {
    var bits: UInt128

    init(_ bits: UInt128 = 0) { self.bits = bits }

    /// The bits of these fields; a field that has none adds nothing.
    init(_ fields: [GHCBField]) {
        self.init()
        for case let bit? in fields.lazy.map(\.validBit) { bits |= 1 << UInt128(bit) }
    }

    /// Bits 126 and 127, which stand for the bitmap itself: SVSM sets them, nobody reads them.
    static let itself = ValidBitmap(3 << 126)

    var isEmpty: Bool { bits == 0 }
    func contains(_ other: ValidBitmap) -> Bool { other.bits & ~bits == 0 }
    func union(_ other: ValidBitmap) -> ValidBitmap { ValidBitmap(bits | other.bits) }
    func subtracting(_ other: ValidBitmap) -> ValidBitmap { ValidBitmap(bits & ~other.bits) }
    func intersection(_ other: ValidBitmap) -> ValidBitmap { ValidBitmap(bits & other.bits) }

    /// The positions that are set, in ascending order.
    var positions: [Int] {
        var rest = bits
        var positions: [Int] = []
        while rest != 0 {
            positions.append(rest.trailingZeroBitCount)
            rest &= rest - 1
        }
        return positions
    }

    /// The field of a bit; `nil` for a bit of a reserved place.
    static func field(at position: Int) -> GHCBField? { fields[position] }

    private static let fields: [Int: GHCBField] = Dictionary(
        GHCBField.allCases.compactMap { field in field.validBit.map { ($0, field) } },
        uniquingKeysWith: { first, _ in first })
}

extension GHCBPage {
    /// All valid bits at once.
    var validBitmap: ValidBitmap {
        var bits: UInt128 = 0
        for index in Self.validBitmapRange.reversed() { bits = bits << 8 | UInt128(bytes[index]) }
        return ValidBitmap(bits)
    }

    /// The eight bytes that a valid bit stands for; 0 past the part that has bits.
    func raw(bit: Int) -> UInt64 {
        if let field = ValidBitmap.field(at: bit) { return raw(field) }
        let start = bit * 8
        guard bit >= 0, start + 8 <= Self.validBitmapRange.upperBound else { return 0 }
        return UInt64(littleEndian: bytes[start..<start + 8])
    }
}
