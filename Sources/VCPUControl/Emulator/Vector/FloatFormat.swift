/// An IEEE 754 format that SSE computes with; a datum is its bits in the low part of a `UInt64`.
struct FloatFormat: Equatable {
    /// Size of a datum in bits.
    let bits: Int
    /// Bits of the significand without the implied one.
    let fractionBits: Int

    static let single = FloatFormat(bits: 32, fractionBits: 23)
    static let double = FloatFormat(bits: 64, fractionBits: 52)

    var bias: Int { 1 << (bits - fractionBits - 2) - 1 }
    var signBit: UInt64 { 1 << UInt64(bits - 1) }
    var quietBit: UInt64 { 1 << UInt64(fractionBits - 1) }
    var fractionMask: UInt64 { 1 << UInt64(fractionBits) - 1 }
    var infinity: UInt64 { (signBit - 1) & ~fractionMask }
    var greatestFinite: UInt64 { infinity - 1 }
    /// What an invalid operation gives.
    var indefinite: UInt64 { signBit | infinity | quietBit }

    /// The bits that belong to a datum of this format.
    func low(_ bits: UInt64) -> UInt64 { bits & (signBit | (signBit - 1)) }
}

/// A floating-point datum taken apart.
struct FloatNumber {
    enum Kind { case zero, finite, infinity, quietNaN, signalingNaN }

    let kind: Kind
    let isNegative: Bool
    let isDenormal: Bool
    /// The power of two of bit 63, where the number is finite.
    let exponent: Int
    /// Bit 63 is set where the number is finite.
    let significand: UInt64
    /// The datum itself; zero in place of a denormal number that counts as zero.
    let bits: UInt64

    /// Takes a datum apart; `denormalsAreZero` is MXCSR.DAZ.
    init(_ bits: UInt64, _ format: FloatFormat, denormalsAreZero: Bool) {
        let fraction = bits & format.fractionMask
        let biased = Int((bits & format.infinity) >> UInt64(format.fractionBits))
        isNegative = bits & format.signBit != 0
        switch (bits & format.infinity, fraction) {
        case (0, 0): kind = .zero
        case (0, _): kind = denormalsAreZero ? .zero : .finite
        case (format.infinity, 0): kind = .infinity
        case (format.infinity, _):
            kind = fraction & format.quietBit != 0 ? .quietNaN : .signalingNaN
        default: kind = .finite
        }
        isDenormal = biased == 0 && kind == .finite
        self.bits = biased == 0 && kind == .zero ? bits & format.signBit : bits
        let implied: UInt64 = biased == 0 ? 0 : 1 << UInt64(format.fractionBits)
        let zeros = (fraction | implied).leadingZeroBitCount
        significand = (fraction | implied) << UInt64(zeros)
        exponent = max(biased, 1) - format.bias + 63 - format.fractionBits - zeros
    }

    var isNaN: Bool { kind == .quietNaN || kind == .signalingNaN }
    var isZero: Bool { kind == .zero }
    var isInfinite: Bool { kind == .infinity }
}
