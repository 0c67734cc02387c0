/// A shift or rotation by a count that is masked and not zero.
protocol ShiftOperation {
    /// The shifted value; the count is 1…31, or 1…63 for 64 bits, and may exceed a small width.
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ count: UInt64) -> T
}

enum ShiftLeft: ShiftOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ count: UInt64) -> T {
        let wide = UInt64(truncatingIfNeeded: a)
        let result = T(truncatingIfNeeded: wide &<< count)
        let carry =
            T.bitWidth == 64
            ? wide &>> (64 &- count) & 1 : (wide &<< count) &>> UInt64(T.bitWidth) & 1
        flags.set(result, carry: carry, overflow: result.top ^ carry)
        return result
    }
}

enum ShiftRight: ShiftOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ count: UInt64) -> T {
        let wide = UInt64(truncatingIfNeeded: a)
        let result = T(truncatingIfNeeded: wide &>> count)
        flags.set(result, carry: wide &>> (count &- 1) & 1, overflow: (result &<< 1 ^ result).top)
        return result
    }
}

enum ShiftArithmetic: ShiftOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ count: UInt64) -> T {
        let wide = Int64(bitPattern: a.signExtended)
        let result = T(truncatingIfNeeded: wide &>> Int64(count))
        let carry = UInt64(bitPattern: wide &>> Int64(count &- 1)) & 1
        flags.set(result, carry: carry, overflow: 0)
        return result
    }
}

enum RotateLeft: ShiftOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ count: UInt64) -> T {
        let n = T(truncatingIfNeeded: count)
        let result = a &<< n | a &>> (0 &- n)
        flags.setCarry(result & 1 != 0, overflow: result.top != UInt64(result & 1))
        return result
    }
}

enum RotateRight: ShiftOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ count: UInt64) -> T {
        let n = T(truncatingIfNeeded: count)
        let result = a &>> n | a &<< (0 &- n)
        flags.setCarry(result.top != 0, overflow: (result ^ result &<< 1).top != 0)
        return result
    }
}

/// Rotates CF and the value together, one bit more than the width.
enum RotateCarryLeft: ShiftOperation {
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ count: UInt64) -> T {
        let width = T.bitWidth
        let n = Int(count) % (width + 1)
        guard n > 0 else { return a }
        let carryIn: T = flags.carry ? 1 : 0
        let result = a << n | carryIn << (n - 1) | a >> (width + 1 - n)
        let carry = a >> (width - n) & 1
        flags.setCarry(carry != 0, overflow: result.top != UInt64(carry))
        return result
    }
}

/// Rotates the value and CF together, one bit more than the width.
enum RotateCarryRight: ShiftOperation {
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ count: UInt64) -> T {
        let width = T.bitWidth
        let n = Int(count) % (width + 1)
        guard n > 0 else { return a }
        let carryIn: T = flags.carry ? 1 : 0
        let result = a >> n | carryIn << (width - n) | a << (width + 1 - n)
        let carry = a >> (n - 1) & 1
        flags.setCarry(carry != 0, overflow: (result ^ result &<< 1).top != 0)
        return result
    }
}

// MARK: - Forms

extension EmulatedVCPU {
    /// A shift of a register by an immediate.
    @inline(__always)
    mutating func shift<O: ShiftOperation, T: Word>(_: O.Type, _: T.Type, _ i: Instruction) {
        let value = register(i.destination, T.self)
        let count = i.immediate & (T.bitWidth == 64 ? 63 : 31)
        setRegister(i.destination, to: count == 0 ? value : O.apply(&flags, value, count))
    }

    /// Any form and width.
    @inline(never)
    mutating func shift<O: ShiftOperation>(_: O.Type, _ i: Instruction) throws(Fault) {
        switch i.width {
        case 1: try shiftAny(O.self, UInt8.self, i)
        case 2: try shiftAny(O.self, UInt16.self, i)
        case 4: try shiftAny(O.self, UInt32.self, i)
        default: try shiftAny(O.self, UInt64.self, i)
        }
    }

    @inline(__always)
    private mutating func shiftAny<O: ShiftOperation, T: Word>(
        _: O.Type, _: T.Type, _ i: Instruction
    ) throws(Fault) {
        let isImmediate = i.form == .registerImmediate || i.form == .memoryImmediate
        let count = maskedCount(isImmediate ? i.immediate : general(1), T.self)
        try modify(i, T.self) { count == 0 ? $1 : O.apply(&$0, $1, count) }
    }

    @inline(__always)
    private func maskedCount<T: Word>(_ count: UInt64, _: T.Type) -> UInt64 {
        count & (T.bitWidth == 64 ? 63 : 31)
    }

    /// SHLD and SHRD.
    @inline(never)
    mutating func shiftDouble(_ i: Instruction) throws(Fault) {
        switch i.width {
        case 2: try shiftDouble(i, UInt16.self)
        case 4: try shiftDouble(i, UInt32.self)
        default: try shiftDouble(i, UInt64.self)
        }
    }

    private mutating func shiftDouble<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        let isImmediate =
            i.form == .registerRegisterImmediate || i.form == .memoryRegisterImmediate
        let count = maskedCount(isImmediate ? i.immediate : general(1), T.self)
        let filler = register(i.source, T.self)
        let isLeft = i.operation == .shld
        try modify(i, T.self) { flags, value in
            if count == 0 { return value }
            return isLeft
                ? Self.shiftLeft(&flags, value, filler, Int(count))
                : Self.shiftRight(&flags, value, filler, Int(count))
        }
    }

    // A 16-bit value shifted by more than 16, whose result no manual defines, gets its own bits
    // behind those of the filler, as processors do it.
    private static func shiftLeft<T: Word>(
        _ flags: inout Flags, _ value: T, _ filler: T, _ n: Int
    ) -> T {
        let width = T.bitWidth
        let result =
            n <= width
            ? value << n | filler >> (width - n)
            : filler << (n - width) | value >> (2 * width - n)
        let carry = n <= width ? value >> (width - n) & 1 : filler >> (2 * width - n) & 1
        flags.set(
            result, carry: UInt64(truncatingIfNeeded: carry), overflow: result.top ^ value.top)
        return result
    }

    private static func shiftRight<T: Word>(
        _ flags: inout Flags, _ value: T, _ filler: T, _ n: Int
    ) -> T {
        let width = T.bitWidth
        let result =
            n <= width
            ? value >> n | filler << (width - n)
            : filler >> (n - width) | value << (2 * width - n)
        let carry = n <= width ? value >> (n - 1) & 1 : filler >> (n - width - 1) & 1
        flags.set(
            result, carry: UInt64(truncatingIfNeeded: carry), overflow: result.top ^ value.top)
        return result
    }
}
