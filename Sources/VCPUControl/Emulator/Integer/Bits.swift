/// Bit tests, scans and counts, and the instructions of BMI1 and BMI2.
extension EmulatedVCPU {
    /// BT, BTS, BTR and BTC.
    @inline(never)
    mutating func bitTest(_ i: Instruction) throws(Fault) {
        switch i.width {
        case 2: try bitTest(i, UInt16.self)
        case 4: try bitTest(i, UInt32.self)
        default: try bitTest(i, UInt64.self)
        }
    }

    private mutating func bitTest<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        var target = i
        var bit = i.immediate
        if i.form == .registerRegister || i.form == .memoryRegister {
            let number = register(i.source, T.self).signExtended
            bit = number
            // The number in a register reaches beyond the operand in memory.
            let words = Int64(bitPattern: number) >> Int64(T.bitWidth.trailingZeroBitCount)
            target.displacement &+= words &* Int64(T.bitWidth / 8)
        }
        let mask = T(1) &<< T(truncatingIfNeeded: bit)
        guard i.operation != .bt else {
            let value = try readDestination(target, T.self)
            return flags.setCarry(value & mask != 0, overflow: flags.overflow)
        }
        let operation = i.operation
        try modify(target, T.self) { flags, value in
            flags.setCarry(value & mask != 0, overflow: flags.overflow)
            return switch operation {
            case .bts: value | mask
            case .btr: value & ~mask
            default: value ^ mask
            }
        }
    }

    /// BSF, BSR, LZCNT, TZCNT and POPCNT.
    @inline(never)
    mutating func bitScan(_ i: Instruction) throws(Fault) {
        switch i.width {
        case 2: try bitScan(i, UInt16.self)
        case 4: try bitScan(i, UInt32.self)
        default: try bitScan(i, UInt64.self)
        }
    }

    private mutating func bitScan<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        let value = try readSource(i, T.self)
        let result: Int
        switch i.operation {
        case .bsf, .bsr:
            flags.setLogic(value)
            guard value != 0 else { return }
            result =
                i.operation == .bsf
                ? value.trailingZeroBitCount : T.bitWidth - 1 - value.leadingZeroBitCount
        case .popcnt:
            result = value.nonzeroBitCount
            flags.status = value == 0 ? Flags.Bit.zero : 0
        default:
            result =
                i.operation == .tzcnt ? value.trailingZeroBitCount : value.leadingZeroBitCount
            flags.set(T(truncatingIfNeeded: result), carry: value == 0 ? 1 : 0, overflow: 0)
        }
        setRegister(i.destination, to: T(truncatingIfNeeded: result))
    }

    /// The instructions of BMI1 and BMI2, which are VEX-encoded and 32 or 64 bits wide.
    @inline(never)
    mutating func manipulateBits(_ i: Instruction) throws(Fault) {
        if i.width == 8 {
            try manipulateBits(i, UInt64.self)
        } else {
            try manipulateBits(i, UInt32.self)
        }
    }

    private mutating func manipulateBits<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) {
        let third =
            i.form == .registerRegisterMemory
            ? try load(T.self, at: effectiveAddress(i), i.segment) : register(i.third, T.self)
        let value = try readSource(i, T.self)
        let result: T
        switch i.operation {
        case .andn:
            result = ~value & third
            flags.setLogic(result)
        case .bextr:
            result = Self.extract(value, third)
            flags.setLogic(result)
        case .blsi:
            result = value & (0 &- value)
            flags.set(result, carry: value == 0 ? 0 : 1, overflow: 0)
        case .blsmsk:
            result = value ^ (value &- 1)
            flags.set(result, carry: value == 0 ? 1 : 0, overflow: 0)
        case .blsr:
            result = value & (value &- 1)
            flags.set(result, carry: value == 0 ? 1 : 0, overflow: 0)
        case .bzhi:
            let index = Int(UInt8(truncatingIfNeeded: third))
            result = value & ~(T.max << index)
            flags.set(result, carry: index >= T.bitWidth ? 1 : 0, overflow: 0)
        case .pdep: result = Self.deposit(value, third)
        case .pext: result = Self.gather(value, third)
        case .rorx:
            let count = T(truncatingIfNeeded: i.immediate)
            result = value &>> count | value &<< (0 &- count)
        case .sarx:
            result = T(truncatingIfNeeded: value.signed &>> third.signed)
        case .shlx: result = value &<< third
        default: result = value &>> third
        }
        setRegister(i.destination, to: result)
    }

    /// MULX: the high half goes to the first operand, the low one to the second.
    mutating func multiplyExtended(_ i: Instruction) throws(Fault) {
        if i.width == 8 {
            try multiplyExtended(i, UInt64.self)
        } else {
            try multiplyExtended(i, UInt32.self)
        }
    }

    private mutating func multiplyExtended<T: Word>(_ i: Instruction, _: T.Type) throws(Fault)
    where T.Magnitude == T {
        let factor =
            i.form == .registerRegisterMemory
            ? try load(T.self, at: effectiveAddress(i), i.segment) : register(i.third, T.self)
        let product = register(2, T.self).multipliedFullWidth(by: factor)
        setRegister(i.source, to: product.low)
        setRegister(i.destination, to: product.high)
    }

    private static func extract<T: Word>(_ value: T, _ control: T) -> T {
        let start = Int(UInt8(truncatingIfNeeded: control))
        let count = Int(UInt8(truncatingIfNeeded: control >> 8))
        return value >> start & ~(T.max << count)
    }

    /// PDEP: the low bits of a value go to the places of the mask.
    private static func deposit<T: Word>(_ value: T, _ mask: T) -> T {
        var (result, rest, places) = (T.zero, value, mask)
        while places != 0 {
            let place = places & (0 &- places)
            if rest & 1 != 0 { result |= place }
            rest &>>= 1
            places ^= place
        }
        return result
    }

    /// PEXT: the bits at the places of the mask become the low bits.
    private static func gather<T: Word>(_ value: T, _ mask: T) -> T {
        var (result, bit, places) = (T.zero, T(1), mask)
        while places != 0 {
            let place = places & (0 &- places)
            if value & place != 0 { result |= bit }
            bit &<<= 1
            places ^= place
        }
        return result
    }

    /// BSWAP; of 16 bits the result is zero, as processors do it.
    mutating func byteSwap(_ i: Instruction) {
        switch i.width {
        case 2: setRegister(i.destination, to: UInt16(0))
        case 4: setRegister(i.destination, to: register(i.destination, UInt32.self).byteSwapped)
        default: setRegister(i.destination, to: register(i.destination, UInt64.self).byteSwapped)
        }
    }

    /// RDRAND and RDSEED: the next number of a fixed sequence (splitmix64).
    mutating func random(_ i: Instruction) {
        entropy &+= 0x9e37_79b9_7f4a_7c15
        var value = (entropy ^ entropy >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        value ^= value >> 31
        switch i.width {
        case 2: setRegister(i.destination, to: UInt16(truncatingIfNeeded: value))
        case 4: setRegister(i.destination, to: UInt32(truncatingIfNeeded: value))
        default: setRegister(i.destination, to: value)
        }
        flags.status = Flags.Bit.carry
    }
}
