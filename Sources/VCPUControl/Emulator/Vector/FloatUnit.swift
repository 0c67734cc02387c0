/// SSE arithmetic in software: the exact result of IEEE 754 in every rounding mode, and the
/// exceptions it raises.
///
/// The host's own arithmetic gives results but not exceptions. APM volume 1, section 4.6.
struct FloatUnit {
    let control: MXCSR
    /// The exceptions of all computations since the start, masked or not.
    var raised: MXCSR.Exceptions = []

    init(control: MXCSR) { self.control = control }

    func number(_ bits: UInt64, _ format: FloatFormat) -> FloatNumber {
        FloatNumber(
            format.low(bits), format, denormalsAreZero: control.denormalsAreZero)
    }

    /// The result of an operation without a defined one.
    mutating func invalid(_ format: FloatFormat) -> UInt64 {
        raised.insert(.invalid)
        return format.indefinite
    }

    mutating func noteDenormals(_ x: FloatNumber, _ y: FloatNumber) {
        if x.isDenormal || y.isDenormal { raised.insert(.denormal) }
    }

    /// Rounds `significand * 2^(exponent - 127)` to a format.
    ///
    /// Bit 127 of the significand is set; its lowest bit stands for everything below it.
    mutating func round(
        _ isNegative: Bool, _ exponent: Int, _ significand: UInt128, _ format: FloatFormat
    ) -> UInt64 {
        let sign = isNegative ? format.signBit : 0
        let excess = 127 - format.fractionBits
        var (fraction, isInexact) = rounded(significand, dropping: excess, isNegative)
        let carries = fraction >> UInt64(format.fractionBits + 1) != 0
        let biased = exponent + (carries ? 1 : 0) + format.bias
        if biased > 2 * format.bias { return overflow(isNegative, isInexact, format) }
        if biased <= 0 { return tiny(isNegative, exponent, significand, isInexact, format) }
        if isInexact { raised.insert(.precision) }
        if carries { fraction >>= 1 }
        return sign | UInt64(biased) << UInt64(format.fractionBits) | fraction & format.fractionMask
    }

    /// A result whose magnitude is below the normal numbers even when rounded without that limit.
    ///
    /// Unmasked, the exception is raised with the result of that rounding, inexact or not.
    private mutating func tiny(
        _ isNegative: Bool, _ exponent: Int, _ significand: UInt128, _ isInexact: Bool,
        _ format: FloatFormat
    ) -> UInt64 {
        let sign = isNegative ? format.signBit : 0
        guard control.masked.contains(.underflow) else {
            raised.formUnion(isInexact ? [.underflow, .precision] : .underflow)
            return sign
        }
        if control.flushesToZero {
            raised.formUnion([.underflow, .precision])
            return sign
        }
        let excess = 128 - format.fractionBits - (exponent + format.bias)
        let (fraction, isInexact) = rounded(significand, dropping: excess, isNegative)
        if isInexact { raised.formUnion([.underflow, .precision]) }
        return sign | fraction
    }

    /// A result past the greatest finite number; unmasked, inexactness is that of the rounding.
    private mutating func overflow(
        _ isNegative: Bool, _ isInexact: Bool, _ format: FloatFormat
    ) -> UInt64 {
        let isMasked = control.masked.contains(.overflow)
        raised.formUnion(isMasked || isInexact ? [.overflow, .precision] : .overflow)
        let sign = isNegative ? format.signBit : 0
        switch control.rounding {
        case .nearest: return sign | format.infinity
        case .towardZero: return sign | format.greatestFinite
        case .down: return sign | (isNegative ? format.infinity : format.greatestFinite)
        case .up: return sign | (isNegative ? format.greatestFinite : format.infinity)
        }
    }

    /// A significand without its lowest `count` bits, rounded by MXCSR.RC.
    ///
    /// At least 64 bits are dropped, so that the result fits.
    func rounded(
        _ significand: UInt128, dropping count: Int, _ isNegative: Bool, truncating: Bool = false
    ) -> (UInt64, isInexact: Bool) {
        let kept = UInt64(truncatingIfNeeded: significand >> UInt128(count))
        let dropped = significand &- UInt128(kept) << UInt128(count)
        guard dropped != 0 else { return (kept, false) }
        let half: UInt128 = count > 128 ? .max : 1 << UInt128(count - 1)
        let goesUp: Bool
        switch truncating ? .towardZero : control.rounding {
        case .nearest: goesUp = dropped > half || dropped == half && kept & 1 != 0
        case .down: goesUp = isNegative
        case .up: goesUp = !isNegative
        case .towardZero: goesUp = false
        }
        return (kept &+ (goesUp ? 1 : 0), true)
    }
}
