/// Moves, conversions of width and exchanges.
extension EmulatedVCPU {
    /// Loads a register.
    @inline(__always)
    mutating func loadRegister<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        setRegister(i.destination, to: try load(T.self, at: effectiveAddress(i), i.segment))
    }

    /// Stores a register.
    @inline(__always)
    mutating func storeRegister<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        try store(register(i.source, T.self), at: effectiveAddress(i), i.segment)
    }

    /// Stores an immediate.
    @inline(__always)
    mutating func storeImmediate<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        try store(T(truncatingIfNeeded: i.immediate), at: effectiveAddress(i), i.segment)
    }

    /// MOV of any form and width.
    @inline(never)
    mutating func move(_ i: Instruction) throws(Fault) {
        switch i.width {
        case 1: try writeDestination(i, try readSource(i, UInt8.self))
        case 2: try writeDestination(i, try readSource(i, UInt16.self))
        case 4: try writeDestination(i, try readSource(i, UInt32.self))
        default: try writeDestination(i, try readSource(i, UInt64.self))
        }
    }

    /// MOVZX.
    @inline(never)
    mutating func moveZeroExtended(_ i: Instruction) throws(Fault) {
        let value: UInt64 =
            i.sourceWidth == 1
            ? UInt64(try readSource(i, UInt8.self)) : UInt64(try readSource(i, UInt16.self))
        setWidened(i, value)
    }

    /// MOVSX and MOVSXD.
    @inline(never)
    mutating func moveSignExtended(_ i: Instruction) throws(Fault) {
        switch i.sourceWidth {
        case 1: setWidened(i, try readSource(i, UInt8.self).signExtended)
        case 2: setWidened(i, try readSource(i, UInt16.self).signExtended)
        default: setWidened(i, try readSource(i, UInt32.self).signExtended)
        }
    }

    private mutating func setWidened(_ i: Instruction, _ value: UInt64) {
        switch i.width {
        case 2: setRegister(i.destination, to: UInt16(truncatingIfNeeded: value))
        case 4: setRegister(i.destination, to: UInt32(truncatingIfNeeded: value))
        default: setRegister(i.destination, to: value)
        }
    }

    /// MOVBE.
    mutating func moveSwapped(_ i: Instruction) throws(Fault) {
        switch i.width {
        case 2: try writeDestination(i, try readSource(i, UInt16.self).byteSwapped)
        case 4: try writeDestination(i, try readSource(i, UInt32.self).byteSwapped)
        default: try writeDestination(i, try readSource(i, UInt64.self).byteSwapped)
        }
    }

    /// LEA of any width; the segment does not count.
    @inline(never)
    mutating func loadAddress(_ i: Instruction) {
        let address = truncated(offset(i), i)
        switch i.width {
        case 2: setRegister(i.destination, to: UInt16(truncatingIfNeeded: address))
        case 4: setRegister(i.destination, to: UInt32(truncatingIfNeeded: address))
        default: setRegister(i.destination, to: address)
        }
    }

    /// CMOVcc: memory is read and the upper half cleared even where the condition does not hold.
    @inline(never)
    mutating func moveConditionally(_ i: Instruction) throws(Fault) {
        switch i.width {
        case 2: try moveConditionally(i, UInt16.self)
        case 4: try moveConditionally(i, UInt32.self)
        default: try moveConditionally(i, UInt64.self)
        }
    }

    @inline(__always)
    private mutating func moveConditionally<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        let value = try readSource(i, T.self)
        let old = register(i.destination, T.self)
        setRegister(i.destination, to: flags.holds(i.detail) ? value : old)
    }

    /// SETcc.
    @inline(never)
    mutating func setConditionally(_ i: Instruction) throws(Fault) {
        try writeDestination(i, flags.holds(i.detail) ? UInt8(1) : 0)
    }

    /// CBW, CWDE and CDQE.
    mutating func extendAccumulator(_ i: Instruction) {
        switch i.width {
        case 2:
            setRegister(0, to: UInt16(truncatingIfNeeded: register(0, UInt8.self).signExtended))
        case 4:
            setRegister(0, to: UInt32(truncatingIfNeeded: register(0, UInt16.self).signExtended))
        default: setRegister(0, to: register(0, UInt32.self).signExtended)
        }
    }

    /// CWD, CDQ and CQO.
    mutating func extendIntoData(_ i: Instruction) {
        switch i.width {
        case 2: setRegister(2, to: register(0, UInt16.self).top == 0 ? 0 : UInt16.max)
        case 4: setRegister(2, to: register(0, UInt32.self).top == 0 ? 0 : UInt32.max)
        default: setRegister(2, to: register(0, UInt64.self).top == 0 ? 0 : UInt64.max)
        }
    }

    /// XLAT: the only address with a byte register in it.
    mutating func translate(_ i: Instruction) throws(Fault) {
        let offset = general(3) &+ UInt64(register(0, UInt8.self))
        let address = truncated(offset, i) &+ segmentBase(i.segment)
        setRegister(0, to: try load(UInt8.self, at: address, i.segment))
    }

    /// LAHF and SAHF.
    mutating func transferFlags(_ i: Instruction) {
        let low = Flags.Bit.status & 0xff
        if i.operation == .lahf {
            setRegister(16, to: UInt8(truncatingIfNeeded: flags.status & low | 2))
        } else {
            flags.status = flags.status & ~low | UInt64(register(16, UInt8.self)) & low
        }
    }
}
