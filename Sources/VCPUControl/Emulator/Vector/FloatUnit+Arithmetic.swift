/// The operations of SSE on one element each of two operands.
enum FloatOperation: UInt8 {
    case add, subtract, multiply, divide, squareRoot, minimum, maximum, compare
    /// UCOMISS and COMISS: they set flags.
    case compareUnordered, compareOrdered
}

/// The four conditions of a comparison.
enum FloatOrder { case less, equal, greater, unordered }

extension FloatUnit {
    /// The result of an arithmetic operation; of `squareRoot` the root of `b`.
    mutating func compute(
        _ operation: FloatOperation, _ a: UInt64, _ b: UInt64, _ format: FloatFormat
    ) -> UInt64 {
        let (x, y) = (number(a, format), number(b, format))
        switch operation {
        case .add: return add(x, y, negating: false, format)
        case .subtract: return add(x, y, negating: true, format)
        case .multiply: return multiply(x, y, format)
        case .divide: return divide(x, y, format)
        case .squareRoot: return squareRoot(y, format)
        case .minimum: return order(x, y, signalsQuiet: true, format) == .less ? x.bits : y.bits
        case .maximum: return order(x, y, signalsQuiet: true, format) == .greater ? x.bits : y.bits
        case .compare, .compareUnordered, .compareOrdered: return 0
        }
    }

    /// Compares, as the predicates of CMPPS and the flags of UCOMISS ask.
    ///
    /// A signaling NaN is invalid; a quiet one where `signalsQuiet`.
    mutating func order(
        _ x: FloatNumber, _ y: FloatNumber, signalsQuiet: Bool, _ format: FloatFormat
    ) -> FloatOrder {
        if x.isNaN || y.isNaN {
            let signals = x.kind == .signalingNaN || y.kind == .signalingNaN
            if signals || signalsQuiet { raised.insert(.invalid) }
            return .unordered
        }
        noteDenormals(x, y)
        let (left, right) = (x.rank(format), y.rank(format))
        return left < right ? .less : left == right ? .equal : .greater
    }

    /// The NaN that an operation passes on: the first operand's before the second's.
    private mutating func propagated(
        _ x: FloatNumber, _ y: FloatNumber, _ format: FloatFormat
    ) -> UInt64? {
        guard x.isNaN || y.isNaN else { return nil }
        if x.kind == .signalingNaN || y.kind == .signalingNaN { raised.insert(.invalid) }
        return (x.isNaN ? x.bits : y.bits) | format.quietBit
    }

    private mutating func add(
        _ x: FloatNumber, _ y: FloatNumber, negating: Bool, _ format: FloatFormat
    ) -> UInt64 {
        if let nan = propagated(x, y, format) { return nan }
        let isNegative = y.isNegative != negating
        if x.isInfinite && y.isInfinite && x.isNegative != isNegative { return invalid(format) }
        noteDenormals(x, y)
        if x.isInfinite { return x.bits }
        let other = negating ? y.bits ^ format.signBit : y.bits
        if y.isInfinite { return other }
        switch (x.isZero, y.isZero) {
        case (true, true): return zeroSum(x.isNegative, isNegative, format)
        case (true, false):
            return round(isNegative, y.exponent, UInt128(y.significand) << 64, format)
        case (false, true):
            return round(x.isNegative, x.exponent, UInt128(x.significand) << 64, format)
        default: return sum(x, y, isNegative, format)
        }
    }

    private func zeroSum(_ a: Bool, _ b: Bool, _ format: FloatFormat) -> UInt64 {
        (a == b ? a : control.rounding == .down) ? format.signBit : 0
    }

    /// The sum of two finite numbers, the second with a sign of its own.
    private mutating func sum(
        _ x: FloatNumber, _ y: FloatNumber, _ isNegative: Bool, _ format: FloatFormat
    ) -> UInt64 {
        let isSwapped = (x.exponent, x.significand) < (y.exponent, y.significand)
        let (large, small) = isSwapped ? (y, x) : (x, y)
        let sign = isSwapped ? isNegative : x.isNegative
        let a = UInt128(large.significand) << 63
        let distance = large.exponent - small.exponent
        let b = (UInt128(small.significand) << 63).jammed(distance)
        let total = x.isNegative == isNegative ? a + b : a - b
        guard total != 0 else { return zeroSum(true, false, format) }
        let zeros = total.leadingZeroBitCount
        return round(sign, large.exponent + 1 - zeros, total << UInt128(zeros), format)
    }

    private mutating func multiply(
        _ x: FloatNumber, _ y: FloatNumber, _ format: FloatFormat
    ) -> UInt64 {
        if let nan = propagated(x, y, format) { return nan }
        if x.isInfinite && y.isZero || x.isZero && y.isInfinite { return invalid(format) }
        noteDenormals(x, y)
        let isNegative = x.isNegative != y.isNegative
        let sign = isNegative ? format.signBit : 0
        if x.isInfinite || y.isInfinite { return sign | format.infinity }
        if x.isZero || y.isZero { return sign }
        let product = UInt128(x.significand) * UInt128(y.significand)
        let zeros = product.leadingZeroBitCount
        let exponent = x.exponent + y.exponent + 1 - zeros
        return round(isNegative, exponent, product << UInt128(zeros), format)
    }

    private mutating func divide(
        _ x: FloatNumber, _ y: FloatNumber, _ format: FloatFormat
    ) -> UInt64 {
        if let nan = propagated(x, y, format) { return nan }
        if x.isInfinite && y.isInfinite || x.isZero && y.isZero { return invalid(format) }
        let isNegative = x.isNegative != y.isNegative
        let sign = isNegative ? format.signBit : 0
        if y.isZero && !x.isInfinite {
            raised.insert(.zeroDivide)
            return sign | format.infinity
        }
        noteDenormals(x, y)
        if x.isInfinite { return sign | format.infinity }
        if x.isZero || y.isInfinite { return sign }
        let (quotient, rest) = (UInt128(x.significand) << 64)
            .quotientAndRemainder(dividingBy: UInt128(y.significand))
        let zeros = quotient.leadingZeroBitCount
        let significand = quotient << UInt128(zeros) | (rest == 0 ? 0 : 1)
        return round(isNegative, x.exponent - y.exponent + 63 - zeros, significand, format)
    }

    private mutating func squareRoot(_ x: FloatNumber, _ format: FloatFormat) -> UInt64 {
        if let nan = propagated(x, x, format) { return nan }
        if x.isZero { return x.bits }
        if x.isNegative { return invalid(format) }
        noteDenormals(x, x)
        if x.isInfinite { return x.bits }
        let isOdd = x.exponent & 1 != 0
        let radicand = UInt128(x.significand) << (isOdd ? 64 : 63)
        let root = radicand.squareRoot
        let rest = UInt128(root) * UInt128(root) != radicand
        return round(false, x.exponent >> 1, UInt128(root) << 64 | (rest ? 1 : 0), format)
    }
}

extension FloatNumber {
    /// A number that orders data which are no NaN.
    fileprivate func rank(_ format: FloatFormat) -> Int64 {
        let magnitude = Int64(bits & ~format.signBit)
        return isNegative ? -magnitude : magnitude
    }
}

extension UInt128 {
    /// Shifted to the right, with the lowest bit set when a bit was lost.
    fileprivate func jammed(_ count: Int) -> UInt128 {
        let shifted = self >> UInt128(count)
        return shifted << UInt128(count) == self ? shifted : shifted | 1
    }

    /// The integer part of the root of a number of at least 2^126.
    fileprivate var squareRoot: UInt64 {
        var root: UInt64 = 0
        var bit: UInt64 = 1 << 63
        while bit != 0 {
            let candidate = root | bit
            if UInt128(candidate) * UInt128(candidate) <= self { root = candidate }
            bit >>= 1
        }
        return root
    }
}
