/// PUSH, POP, the flags on the stack, and stack frames.
extension EmulatedVCPU {
    /// Pushes a value; RSP moves when it is written.
    @inline(__always)
    mutating func push<T: Word>(_ value: T) throws(Fault) {
        let top = general(4) &- UInt64(T.bitWidth / 8)
        try store(value, at: top, .ss)
        setRegister(4, to: top)
    }

    /// Pops a value; RSP moves when it is read.
    @inline(__always)
    mutating func pop<T: Word>(_: T.Type) throws(Fault) -> T {
        let value = try load(T.self, at: general(4), .ss)
        setRegister(4, to: general(4) &+ UInt64(T.bitWidth / 8))
        return value
    }

    /// PUSH of any form and width.
    @inline(never)
    mutating func push(_ i: Instruction) throws(Fault) {
        if i.width == 2 {
            try push(try readDestination(i, UInt16.self))
        } else {
            try push(try readDestination(i, UInt64.self))
        }
    }

    /// POP of any form and width.
    @inline(never)
    mutating func pop(_ i: Instruction) throws(Fault) {
        if i.width == 2 {
            try popDestination(i, UInt16.self)
        } else {
            try popDestination(i, UInt64.self)
        }
    }

    /// The address of the destination counts with RSP moved; a fault there moves it back.
    private mutating func popDestination<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        let old = general(4)
        let value = try pop(T.self)
        do throws(Fault) {
            try writeDestination(i, value)
        } catch {
            setRegister(4, to: old)
            throw error
        }
    }

    /// PUSHF: VM and RF are stored as clear.
    mutating func pushFlags(_ i: Instruction) throws(Fault) {
        let value = flags.value & ~(Flags.Bit.virtual8086 | Flags.Bit.resume)
        if i.width == 2 {
            try push(UInt16(truncatingIfNeeded: value))
        } else {
            try push(value)
        }
    }

    /// POPF: what may change depends on CPL and IOPL; APM volume 3.
    mutating func popFlags(_ i: Instruction) throws(Fault) {
        var changed = Flags.Bit.defined & ~(Flags.Bit.virtual8086 | Flags.Bit.ioPrivilege)
        if system.cpl == 0 { changed |= Flags.Bit.ioPrivilege }
        if system.cpl > flags.ioPrivilege { changed &= ~Flags.Bit.interrupt }
        let cleared =
            Flags.Bit.resume | Flags.Bit.virtualInterrupt | Flags.Bit.virtualInterruptPending
        let value: UInt64
        if i.width == 2 {
            value = UInt64(try pop(UInt16.self))
            changed &= 0xffff
        } else {
            value = try pop(UInt64.self) & ~cleared
        }
        let old = flags.value
        flags.value = old & ~changed | value & changed
        if (old ^ flags.value) & Flags.Bit.alignmentCheck != 0 { alignmentCheckChanged() }
    }

    /// ENTER.
    mutating func enter(_ i: Instruction) throws(Fault) {
        if i.width == 2 {
            try enter(i, UInt16.self)
        } else {
            try enter(i, UInt64.self)
        }
    }

    private mutating func enter<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        let (rsp, rbp) = (general(4), general(5))
        do throws(Fault) {
            try push(register(5, T.self))
            let frame = general(4)
            for level in 0..<i.detail {
                if level == i.detail - 1 {
                    try push(T(truncatingIfNeeded: frame))
                } else {
                    setRegister(5, to: general(5) &- UInt64(T.bitWidth / 8))
                    try push(try load(T.self, at: general(5), .ss))
                }
            }
            setRegister(4, to: general(4) &- (i.immediate & 0xffff))
            try checkWritable(general(4), count: T.bitWidth / 8, .ss)
            setRegister(5, to: rbp)
            setRegister(5, to: T(truncatingIfNeeded: frame))
        } catch {
            setRegister(4, to: rsp)
            setRegister(5, to: rbp)
            throw error
        }
    }

    /// LEAVE.
    @inline(never)
    mutating func leave(_ i: Instruction) throws(Fault) {
        let frame = general(5)
        if i.width == 2 {
            setRegister(5, to: try load(UInt16.self, at: frame, .ss))
            setRegister(4, to: frame &+ 2)
        } else {
            setRegister(5, to: try load(UInt64.self, at: frame, .ss))
            setRegister(4, to: frame &+ 8)
        }
    }
}
