import Testing

@testable import VCPUControl

@Suite("Flags")
struct FlagsTests {
    @Test("every combination of status flags is kept")
    func statusCombinations() {
        let bits: [UInt64] = [0, 2, 4, 6, 7, 11]
        for number in 0..<64 {
            let value = bits.indices.reduce(UInt64(2)) { sum, index in
                number >> index & 1 != 0 ? sum | 1 << bits[index] : sum
            }
            #expect(Flags(value: value).value == value)
        }
    }

    @Test("bits without a name read as zero, bit 1 as one")
    func reservedBits() {
        #expect(Flags(value: .max).value == 0x3f_7fd7)
        #expect(Flags(value: 0).value == 2)
    }

    @Test("each status flag is set and cleared alone")
    func setters() {
        let paths: [(WritableKeyPath<Flags, Bool>, UInt64)] = [
            (\.carry, 0), (\.parity, 2), (\.auxiliary, 4), (\.zero, 6), (\.sign, 7),
            (\.overflow, 11),
        ]
        for (path, bit) in paths {
            var flags = Flags(value: 2)
            flags[keyPath: path] = true
            #expect(flags.value == 2 | 1 << bit)
            flags.value = Flags.Bit.status | 2
            flags[keyPath: path] = false
            #expect(flags.value == (Flags.Bit.status | 2) & ~(1 << bit))
        }
    }

    @Test("the 16 conditions are those of APM volume 3, table 1-1")
    func conditions() {
        for number in UInt64(0)..<64 {
            let (c, p, z) = (number & 1 != 0, number & 2 != 0, number & 4 != 0)
            let (s, o) = (number & 8 != 0, number & 16 != 0)
            var flags = Flags()
            flags.status =
                (c ? 1 : 0) | (p ? 4 : 0) | (z ? 64 : 0) | (s ? 128 : 0) | (o ? 2048 : 0)
            let bases = [o, c, z, c || z, s, p, s != o, s != o || z]
            for (index, base) in bases.enumerated() {
                #expect(flags.holds(UInt16(index * 2)) == base)
                #expect(flags.holds(UInt16(index * 2 + 1)) == !base)
            }
        }
    }

    /// The flags of an 8-bit sum, from their definitions.
    private func expected(_ a: Int, _ b: Int, _ carry: Int, subtracts: Bool) -> UInt64 {
        let (sa, sb) = (Int(Int8(truncatingIfNeeded: a)), Int(Int8(truncatingIfNeeded: b)))
        let wide = subtracts ? a - b - carry : a + b + carry
        let signed = subtracts ? sa - sb - carry : sa + sb + carry
        let nibble = subtracts ? a & 15 - b & 15 - carry : a & 15 + b & 15 + carry
        let low = UInt8(truncatingIfNeeded: wide)
        return (wide < 0 || wide > 255 ? 1 : 0) | (low.nonzeroBitCount % 2 == 0 ? 4 : 0)
            | (nibble < 0 || nibble > 15 ? 16 : 0) | (low == 0 ? 64 : 0)
            | (low > 127 ? 128 : 0) | (signed < -128 || signed > 127 ? 2048 : 0)
    }

    @Test("8-bit additions and subtractions set all flags, over all operands and carries")
    func additions() {
        var wrong = 0
        for number in 0..<0x20000 {
            let (a, b, carry) = (number & 255, number >> 8 & 255, number >> 16)
            var (sum, difference) = (Flags(value: UInt64(carry)), Flags(value: UInt64(carry)))
            _ = AddCarry.apply(&sum, UInt8(a), UInt8(b))
            _ = SubtractBorrow.apply(&difference, UInt8(a), UInt8(b))
            if sum.status != expected(a, b, carry, subtracts: false) { wrong += 1 }
            if difference.status != expected(a, b, carry, subtracts: true) { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test("INC and DEC keep CF and set the others")
    func steps() {
        for a in 0..<256 {
            for carry in UInt64(0)...1 {
                var (up, down) = (Flags(value: carry), Flags(value: carry))
                _ = Increment.apply(&up, UInt8(a))
                _ = Decrement.apply(&down, UInt8(a))
                #expect(up.status == expected(a, 1, 0, subtracts: false) & ~1 | carry)
                #expect(down.status == expected(a, 1, 0, subtracts: true) & ~1 | carry)
            }
        }
    }

    @Test("wider results take their flags from their own top bit")
    func widths() {
        var flags = Flags()
        _ = Add.apply(&flags, UInt16(0xffff), 1)
        #expect(flags.status == status("cpaz"))
        _ = Add.apply(&flags, UInt32(0x7fff_ffff), 1)
        #expect(flags.status == status("paso"))
        _ = Add.apply(&flags, UInt64(1) << 63, 1 << 63)
        #expect(flags.status == status("cpzo"))
        _ = Subtract.apply(&flags, UInt64(0), 1)
        #expect(flags.status == status("cpas"))
    }
}
