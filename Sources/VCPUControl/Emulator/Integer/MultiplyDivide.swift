/// MUL, IMUL, DIV and IDIV.
extension EmulatedVCPU {
    /// The forms with one operand: the accumulator pair is the other.
    @inline(never)
    mutating func multiplyDivide(_ i: Instruction) throws(Fault) {
        switch i.width {
        case 1: try multiplyDivide(i, UInt8.self)
        case 2: try multiplyDivide(i, UInt16.self)
        case 4: try multiplyDivide(i, UInt32.self)
        default: try multiplyDivide(i, UInt64.self)
        }
    }

    private mutating func multiplyDivide<T: Word>(_ i: Instruction, _: T.Type) throws(Fault)
    where T.Magnitude == T {
        let operand = try readDestination(i, T.self)
        switch i.operation {
        case .mul:
            let product = register(0, T.self).multipliedFullWidth(by: operand)
            setPair(high: product.high, low: product.low)
            flags.setCarry(product.high != 0, overflow: product.high != 0)
        case .multiply:
            let product = register(0, T.self).signed.multipliedFullWidth(by: operand.signed)
            let low = T(truncatingIfNeeded: product.low)
            setPair(high: T(truncatingIfNeeded: product.high), low: low)
            let isWide = product.high != low.signed >> (T.bitWidth - 1)
            flags.setCarry(isWide, overflow: isWide)
        case .div:
            let high = highPart(T.self)
            guard high < operand else { throw .divide }
            let result = operand.dividingFullWidth((high, register(0, T.self)))
            setPair(high: result.remainder, low: result.quotient)
        default: try divideSigned(by: operand)
        }
    }

    /// AH for bytes, else the data register.
    @inline(__always)
    private mutating func highPart<T: Word>(_: T.Type) -> T {
        T.bitWidth == 8 ? register(16, T.self) : register(2, T.self)
    }

    @inline(__always)
    private mutating func setPair<T: Word>(high: T, low: T) {
        setRegister(0, to: low)
        setRegister(T.bitWidth == 8 ? 16 : 2, to: high)
    }

    private mutating func divideSigned<T: Word>(by operand: T) throws(Fault) {
        let (high, low) = (highPart(T.self), register(0, T.self))
        if T.bitWidth == 64 && high != (low.top == 0 ? 0 : T.max) {
            return try divideWide(high: high, low: low, by: operand)
        }
        let dividend =
            T.bitWidth == 64
            ? Int64(truncatingIfNeeded: low)
            : Int64(truncatingIfNeeded: high.signed) &<< Int64(T.bitWidth)
                | Int64(truncatingIfNeeded: low)
        let divisor = Int64(truncatingIfNeeded: operand.signed)
        guard divisor != 0 else { throw .divide }
        let (quotient, overflows) = dividend.dividedReportingOverflow(by: divisor)
        guard !overflows, let result = T.Signed(exactly: quotient) else { throw .divide }
        let remainder = dividend &- quotient &* divisor
        setPair(
            high: T(truncatingIfNeeded: remainder), low: T(truncatingIfNeeded: result))
    }

    @inline(never)
    private mutating func divideWide<T: Word>(high: T, low: T, by operand: T) throws(Fault) {
        let dividend = Int128(truncatingIfNeeded: high.signed) << 64 | Int128(low)
        let divisor = Int128(truncatingIfNeeded: operand.signed)
        guard divisor != 0 else { throw .divide }
        let (quotient, overflows) = dividend.dividedReportingOverflow(by: divisor)
        guard !overflows, Int64(exactly: quotient) != nil else { throw .divide }
        let remainder = dividend &- quotient &* divisor
        setPair(
            high: T(truncatingIfNeeded: remainder), low: T(truncatingIfNeeded: quotient))
    }

    /// IMUL of two registers.
    @inline(__always)
    mutating func multiplyRegisters<T: Word>(_ i: Instruction, _: T.Type) {
        multiply(i, register(i.destination, T.self), register(i.source, T.self))
    }

    /// IMUL with two and three operands, of any form and width.
    @inline(never)
    mutating func multiply(_ i: Instruction) throws(Fault) {
        switch i.width {
        case 2: try multiplyAny(i, UInt16.self)
        case 4: try multiplyAny(i, UInt32.self)
        default: try multiplyAny(i, UInt64.self)
        }
    }

    @inline(__always)
    private mutating func multiplyAny<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        let source = try readSource(i, T.self)
        switch i.form {
        case .registerRegisterImmediate, .registerMemoryImmediate:
            multiply(i, source, T(truncatingIfNeeded: i.immediate))
        default: multiply(i, register(i.destination, T.self), source)
        }
    }

    @inline(__always)
    private mutating func multiply<T: Word>(_ i: Instruction, _ a: T, _ b: T) {
        let (product, overflows) = a.signed.multipliedReportingOverflow(by: b.signed)
        setRegister(i.destination, to: T(truncatingIfNeeded: product))
        flags.setCarry(overflows, overflow: overflows)
    }
}
