/// Reading and writing the operands of an instruction.
///
/// Unsafe: registers are indexed without a check, in the innermost loop; the decoder makes no
/// number but those of `gpr`.
extension EmulatedVCPU {
    /// A register of `gpr`, by its number.
    ///
    /// By way of a pointer, and `mutating` for that: a plain read of one element copies them all.
    @inline(__always)
    mutating func general(_ number: UInt8) -> UInt64 {
        unsafe withUnsafeMutablePointer(to: &gpr) {
            unsafe UnsafeRawPointer($0).load(fromByteOffset: Int(number) &* 8, as: UInt64.self)
        }
    }

    /// Writes a general register, by its number.
    @inline(__always)
    mutating func setGeneral(_ number: UInt8, _ value: UInt64) {
        unsafe withUnsafeMutablePointer(to: &gpr) {
            unsafe UnsafeMutableRawPointer($0).storeBytes(
                of: value, toByteOffset: Int(number) &* 8, as: UInt64.self)
        }
    }

    /// The low bytes of a general register; for `UInt8` the numbers 16…19 are AH, CH, DH, BH.
    @inline(__always)
    mutating func register<T: Word>(_ number: UInt8, _: T.Type) -> T {
        if T.bitWidth == 8 && number >= 16 {
            return T(truncatingIfNeeded: general(number &- 16) &>> 8)
        }
        return T(truncatingIfNeeded: general(number))
    }

    /// Writes the low bytes of a general register; 32 bits clear the upper half.
    @inline(__always)
    mutating func setRegister<T: Word>(_ number: UInt8, to value: T) {
        let wide = UInt64(truncatingIfNeeded: value)
        if T.bitWidth >= 32 {
            setGeneral(number, wide)
        } else if T.bitWidth == 8 && number >= 16 {
            setGeneral(number &- 16, general(number &- 16) & ~0xff00 | wide &<< 8)
        } else {
            setGeneral(number, general(number) & ~UInt64(truncatingIfNeeded: T.max) | wide)
        }
    }

    /// The linear address of the memory operand.
    @inline(__always)
    mutating func effectiveAddress(_ i: Instruction) -> UInt64 {
        let sum = offset(i)
        guard i.prefixes.contains(.specialAddress) else { return sum }
        return specialAddress(sum, i)
    }

    /// The memory operand's offset in its segment, before truncation to 32 bits.
    @inline(__always)
    mutating func offset(_ i: Instruction) -> UInt64 {
        let sum =
            general(i.base) &+ (general(i.index) &<< UInt64(i.scale))
            &+ UInt64(bitPattern: i.displacement)
        return i.prefixes.contains(.ripRelative) ? sum &+ rip : sum
    }

    /// The linear address of an offset that 67h truncates, or whose segment has a base.
    @inline(never)
    mutating func specialAddress(_ offset: UInt64, _ i: Instruction) -> UInt64 {
        truncated(offset, i) &+ segmentBase(i.segment)
    }

    /// An address or a count cut to the address size.
    @inline(__always)
    func truncated(_ value: UInt64, _ i: Instruction) -> UInt64 {
        i.prefixes.contains(.address32) ? value & 0xffff_ffff : value
    }

    /// The base of a segment: zero but for FS and GS.
    @inline(__always)
    func segmentBase(_ segment: SegmentName) -> UInt64 {
        switch segment {
        case .fs: system.fs.base
        case .gs: system.gs.base
        default: 0
        }
    }
}

extension EmulatedVCPU {
    /// The value of the first operand.
    @inline(__always)
    mutating func readDestination<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) -> T {
        switch i.form {
        case .memory, .memoryRegister, .memoryImmediate, .memoryRegisterImmediate,
            .memoryRegisterRegister:
            try load(T.self, at: effectiveAddress(i), i.segment)
        case .immediate, .immediateRegister, .immediateImmediate:
            T(truncatingIfNeeded: i.immediate)
        default: register(i.destination, T.self)
        }
    }

    /// The value of the second operand.
    @inline(__always)
    mutating func readSource<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) -> T {
        switch i.form {
        case .registerMemory, .registerMemoryImmediate, .registerMemoryRegister:
            try load(T.self, at: effectiveAddress(i), i.segment)
        case .registerImmediate, .memoryImmediate: T(truncatingIfNeeded: i.immediate)
        default: register(i.source, T.self)
        }
    }

    /// Writes the first operand: memory, or a register.
    @inline(__always)
    mutating func writeDestination<T: Word>(_ i: Instruction, _ value: T) throws(Fault) {
        switch i.form {
        case .memory, .memoryRegister, .memoryImmediate, .memoryRegisterImmediate,
            .memoryRegisterRegister:
            try store(value, at: effectiveAddress(i), i.segment)
        default: setRegister(i.destination, to: value)
        }
    }

    /// Replaces the first operand by a function of it; the flags change when the write is done.
    @inline(__always)
    mutating func modify<T: Word>(
        _ i: Instruction, _: T.Type, _ body: (inout Flags, T) -> T
    ) throws(Fault) {
        guard i.hasMemoryDestination else {
            return setRegister(i.destination, to: body(&flags, register(i.destination, T.self)))
        }
        let address = effectiveAddress(i)
        var changed = flags
        let result = body(&changed, try loadForUpdate(T.self, at: address, i.segment))
        try store(result, at: address, i.segment)
        flags = changed
    }
}

extension Instruction {
    /// Whether the first operand lies in memory.
    @inline(__always)
    var hasMemoryDestination: Bool {
        switch form {
        case .memory, .memoryRegister, .memoryImmediate, .memoryRegisterImmediate,
            .memoryRegisterRegister:
            true
        default: false
        }
    }
}
