extension FloatUnit {
    /// An integer in a floating-point format.
    mutating func float(_ value: Int64, _ format: FloatFormat) -> UInt64 {
        guard value != 0 else { return 0 }
        let zeros = value.magnitude.leadingZeroBitCount
        let significand = UInt128(value.magnitude) << UInt128(zeros + 64)
        return round(value < 0, 63 - zeros, significand, format)
    }

    /// A datum in another floating-point format.
    mutating func convert(
        _ bits: UInt64, from source: FloatFormat, to format: FloatFormat
    ) -> UInt64 {
        let x = number(bits, source)
        let sign = x.isNegative ? format.signBit : 0
        switch x.kind {
        case .zero: return sign
        case .infinity: return sign | format.infinity
        case .quietNaN, .signalingNaN:
            if x.kind == .signalingNaN { raised.insert(.invalid) }
            let payload = (x.bits & source.fractionMask) << UInt64(63 - source.fractionBits)
            return sign | format.infinity | format.quietBit
                | payload >> UInt64(63 - format.fractionBits)
        case .finite:
            noteDenormals(x, x)
            return round(x.isNegative, x.exponent, UInt128(x.significand) << 64, format)
        }
    }

    /// A datum as a signed integer of 32 or 64 bits; the lowest one where it does not fit.
    mutating func integer(
        _ bits: UInt64, _ format: FloatFormat, width: Int, truncating: Bool
    ) -> UInt64 {
        let x = number(bits, format)
        let indefinite: UInt64 = 1 << UInt64(width - 1)
        if x.isZero { return 0 }
        guard x.kind == .finite && x.exponent < width else {
            raised.insert(.invalid)
            return indefinite
        }
        let dropped = 127 - x.exponent
        let (magnitude, isInexact) = rounded(
            UInt128(x.significand) << 64, dropping: dropped, x.isNegative, truncating: truncating)
        guard magnitude < indefinite || x.isNegative && magnitude == indefinite else {
            raised.insert(.invalid)
            return indefinite
        }
        if isInexact { raised.insert(.precision) }
        let value = x.isNegative ? 0 &- magnitude : magnitude
        return width == 32 ? value & 0xffff_ffff : value
    }
}
