/// An instruction on two values that sets the flags.
protocol BinaryOperation {
    /// Whether the result is written to the first operand.
    static var isStored: Bool { get }
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ b: T) -> T
}

extension BinaryOperation {
    static var isStored: Bool { true }
}

enum Add: BinaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ b: T) -> T {
        let result = a &+ b
        flags.set(result, carries: a & b | (a | b) & ~result)
        return result
    }
}

enum AddCarry: BinaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ b: T) -> T {
        let result = a &+ b &+ (flags.carry ? 1 : 0)
        flags.set(result, carries: a & b | (a | b) & ~result)
        return result
    }
}

enum Subtract: BinaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ b: T) -> T {
        let result = a &- b
        flags.set(result, carries: ~a & b | (~a | b) & result)
        return result
    }
}

enum SubtractBorrow: BinaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ b: T) -> T {
        let result = a &- b &- (flags.carry ? 1 : 0)
        flags.set(result, carries: ~a & b | (~a | b) & result)
        return result
    }
}

enum Compare: BinaryOperation {
    static var isStored: Bool { false }
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ b: T) -> T {
        Subtract.apply(&flags, a, b)
    }
}

enum And: BinaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ b: T) -> T {
        flags.setLogic(a & b)
        return a & b
    }
}

enum Or: BinaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ b: T) -> T {
        flags.setLogic(a | b)
        return a | b
    }
}

enum ExclusiveOr: BinaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ b: T) -> T {
        flags.setLogic(a ^ b)
        return a ^ b
    }
}

enum Test: BinaryOperation {
    static var isStored: Bool { false }
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T, _ b: T) -> T {
        And.apply(&flags, a, b)
    }
}

/// An instruction that replaces one value.
protocol UnaryOperation {
    static func apply<T: Word>(_ flags: inout Flags, _ a: T) -> T
}

enum Increment: UnaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T) -> T {
        let result = a &+ 1
        flags.setKeepingCarry(result, carries: a & 1 | (a | 1) & ~result)
        return result
    }
}

enum Decrement: UnaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T) -> T {
        let result = a &- 1
        flags.setKeepingCarry(result, carries: ~a & 1 | (~a | 1) & result)
        return result
    }
}

enum Negate: UnaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T) -> T {
        Subtract.apply(&flags, 0, a)
    }
}

enum Not: UnaryOperation {
    @inline(__always)
    static func apply<T: Word>(_ flags: inout Flags, _ a: T) -> T { ~a }
}

// MARK: - Forms

extension EmulatedVCPU {
    /// Register with register.
    @inline(__always)
    mutating func rr<O: BinaryOperation, T: Word>(_: O.Type, _: T.Type, _ i: Instruction) {
        combine(O.self, i, register(i.source, T.self))
    }

    /// Register with immediate.
    @inline(__always)
    mutating func ri<O: BinaryOperation, T: Word>(_: O.Type, _: T.Type, _ i: Instruction) {
        combine(O.self, i, T(truncatingIfNeeded: i.immediate))
    }

    /// Register with memory.
    @inline(__always)
    mutating func rm<O: BinaryOperation, T: Word>(
        _: O.Type, _: T.Type, _ i: Instruction
    ) throws(Fault) {
        combine(O.self, i, try load(T.self, at: effectiveAddress(i), i.segment))
    }

    @inline(__always)
    private mutating func combine<O: BinaryOperation, T: Word>(
        _: O.Type, _ i: Instruction, _ value: T
    ) {
        let result = O.apply(&flags, register(i.destination, T.self), value)
        if O.isStored { setRegister(i.destination, to: result) }
    }

    /// Compares memory with a value.
    @inline(__always)
    mutating func compareMemory<T: Word>(_ i: Instruction, with value: T) throws(Fault) {
        let memory = try load(T.self, at: effectiveAddress(i), i.segment)
        _ = Subtract.apply(&flags, memory, value)
    }

    /// Any form and width.
    @inline(never)
    mutating func binary<O: BinaryOperation>(_: O.Type, _ i: Instruction) throws(Fault) {
        switch i.width {
        case 1: try binary(O.self, UInt8.self, i)
        case 2: try binary(O.self, UInt16.self, i)
        case 4: try binary(O.self, UInt32.self, i)
        default: try binary(O.self, UInt64.self, i)
        }
    }

    @inline(__always)
    private mutating func binary<O: BinaryOperation, T: Word>(
        _: O.Type, _: T.Type, _ i: Instruction
    ) throws(Fault) {
        let b = try readSource(i, T.self)
        if O.isStored {
            try modify(i, T.self) { O.apply(&$0, $1, b) }
        } else {
            let a = try readDestination(i, T.self)
            _ = O.apply(&flags, a, b)
        }
    }

    /// Any form and width.
    @inline(never)
    mutating func unary<O: UnaryOperation>(_: O.Type, _ i: Instruction) throws(Fault) {
        switch i.width {
        case 1: try modify(i, UInt8.self) { O.apply(&$0, $1) }
        case 2: try modify(i, UInt16.self) { O.apply(&$0, $1) }
        case 4: try modify(i, UInt32.self) { O.apply(&$0, $1) }
        default: try modify(i, UInt64.self) { O.apply(&$0, $1) }
        }
    }

    /// An increment or decrement of a register.
    @inline(__always)
    mutating func r<O: UnaryOperation, T: Word>(_: O.Type, _: T.Type, _ i: Instruction) {
        setRegister(i.destination, to: O.apply(&flags, register(i.destination, T.self)))
    }

    /// ADCX and ADOX: an addition that uses and changes only CF, or only OF.
    mutating func addFlagged(_ i: Instruction) throws(Fault) {
        if i.width == 8 {
            try addFlagged(i, UInt64.self)
        } else {
            try addFlagged(i, UInt32.self)
        }
    }

    private mutating func addFlagged<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        let b = try readSource(i, T.self)
        var scratch = flags
        if i.operation == .adox { scratch.carry = flags.overflow }
        let result = AddCarry.apply(&scratch, register(i.destination, T.self), b)
        setRegister(i.destination, to: result)
        if i.operation == .adox {
            flags.setCarry(flags.carry, overflow: scratch.carry)
        } else {
            flags.setCarry(scratch.carry, overflow: flags.overflow)
        }
    }
}
