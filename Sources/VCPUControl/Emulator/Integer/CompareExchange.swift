/// XCHG, XADD and the CMPXCHG family.
///
/// Between instructions of one vCPU no other runs, so LOCK asks for nothing more.
extension EmulatedVCPU {
    /// XCHG, XADD and CMPXCHG.
    @inline(never)
    mutating func exchange(_ i: Instruction) throws(Fault) {
        switch i.width {
        case 1: try exchange(i, UInt8.self)
        case 2: try exchange(i, UInt16.self)
        case 4: try exchange(i, UInt32.self)
        default: try exchange(i, UInt64.self)
        }
    }

    private mutating func exchange<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        switch i.operation {
        case .xchg: try swap(i, T.self)
        case .xadd: try exchangeAdd(i, T.self)
        default: try compareExchange(i, T.self)
        }
    }

    private mutating func swap<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        guard i.form != .registerRegister else {
            let value = register(i.destination, T.self)
            setRegister(i.destination, to: register(i.source, T.self))
            return setRegister(i.source, to: value)
        }
        // XCHG is symmetric; both orders of register and memory name the register once.
        let number = i.form == .registerMemory ? i.destination : i.source
        let address = effectiveAddress(i)
        let value = try loadForUpdate(T.self, at: address, i.segment)
        try store(register(number, T.self), at: address, i.segment)
        setRegister(number, to: value)
    }

    private mutating func exchangeAdd<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        let addend = register(i.source, T.self)
        guard i.hasMemoryDestination else {
            let value = register(i.destination, T.self)
            setRegister(i.source, to: value)
            return setRegister(i.destination, to: Add.apply(&flags, value, addend))
        }
        let address = effectiveAddress(i)
        let value = try loadForUpdate(T.self, at: address, i.segment)
        try store(value &+ addend, at: address, i.segment)
        _ = Add.apply(&flags, value, addend)
        setRegister(i.source, to: value)
    }

    /// Memory is written in any case: its old value where the comparison fails.
    private mutating func compareExchange<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        let (expected, new) = (register(0, T.self), register(i.source, T.self))
        let old: T
        if i.hasMemoryDestination {
            let address = effectiveAddress(i)
            old = try loadForUpdate(T.self, at: address, i.segment)
            try store(old == expected ? new : old, at: address, i.segment)
        } else {
            old = register(i.destination, T.self)
            if old == expected { setRegister(i.destination, to: new) }
        }
        _ = Subtract.apply(&flags, expected, old)
        if old != expected { setRegister(0, to: old) }
    }

    /// CMPXCHG8B.
    mutating func compareExchange8(_ i: Instruction) throws(Fault) {
        let address = effectiveAddress(i)
        let old = try loadForUpdate(UInt64.self, at: address, i.segment)
        let isEqual = old == pair(high: 2, low: 0)
        try store(isEqual ? pair(high: 1, low: 3) : old, at: address, i.segment)
        flags.zero = isEqual
        guard !isEqual else { return }
        setRegister(0, to: UInt32(truncatingIfNeeded: old))
        setRegister(2, to: UInt32(truncatingIfNeeded: old >> 32))
    }

    private mutating func pair(high: UInt8, low: UInt8) -> UInt64 {
        general(high) << 32 | general(low) & 0xffff_ffff
    }

    /// CMPXCHG16B; #GP where the address is no multiple of 16.
    mutating func compareExchange16(_ i: Instruction) throws(Fault) {
        let address = effectiveAddress(i)
        guard address & 15 == 0 else { throw .generalProtection() }
        try checkWritable(address, count: 16, i.segment)
        let old = try load128(at: address, i.segment, aligned: true)
        let isEqual = old == SIMD2(general(0), general(2))
        let new = isEqual ? SIMD2(general(3), general(1)) : old
        try store128(new, at: address, i.segment, aligned: true)
        flags.zero = isEqual
        guard !isEqual else { return }
        setRegister(0, to: old[0])
        setRegister(2, to: old[1])
    }
}
