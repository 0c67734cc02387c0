/// Makes random bytes that look like instructions of the opcode maps the emulator knows.
struct FuzzEncoder {
    /// Bytes of which some first part may be an instruction.
    static func bytes(_ random: inout FuzzRandom) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24)
        if random.chance(4) {
            appendVEX(to: &bytes, &random)
        } else {
            appendLegacy(to: &bytes, &random)
        }
        bytes.append(modRM(&random))
        while bytes.count < 20 { bytes.append(filler(&random)) }
        return Array(bytes.prefix(15))
    }

    private static func appendLegacy(to bytes: inout [UInt8], _ random: inout FuzzRandom) {
        if random.chance(3) { bytes.append(random.pick([0x26, 0x2e, 0x36, 0x3e])) }
        if random.chance(3) { bytes.append(0x67) }
        if random.chance(20) { bytes.append(0x66) }
        if random.chance(3) { bytes.append(0xf0) }
        switch random.below(8) {
        case 0: bytes.append(0xf2)
        case 1: bytes.append(0xf3)
        default: break
        }
        if random.chance(50) { bytes.append(0x40 | random.byte() & 15) }
        switch random.below(100) {
        case 0..<42: break
        case 42..<95: bytes.append(0x0f)
        case 95..<99: bytes += [0x0f, 0x38]
        default: bytes += [0x0f, 0x3a]
        }
        bytes.append(random.chance(97) ? random.byte() : rare(&bytes, &random))
    }

    /// An opcode whose instructions differ by ModRM.reg, and would come seldom.
    private static func rare(_ bytes: inout [UInt8], _ random: inout FuzzRandom) -> UInt8 {
        if bytes.last != 0x0f { return random.pick([0xd9, 0xdb, 0xdd, 0xdf]) }
        return random.pick([0xae, 0xae, 0xae, 0x01, 0x18, 0x73, 0xc7])
    }

    /// BMI1 and BMI2: maps 2 and 3 of the three-byte VEX prefix, with 128-bit length.
    private static func appendVEX(to bytes: inout [UInt8], _ random: inout FuzzRandom) {
        let map: UInt8 = random.chance(85) ? 2 : 3
        bytes += [0xc4, random.byte() & 0xe0 | map, random.byte() & 0xfb]
        bytes.append(map == 2 ? random.pick([0xf2, 0xf3, 0xf5, 0xf6, 0xf7]) : 0xf0)
    }

    /// As many registers as memory operands.
    private static func modRM(_ random: inout FuzzRandom) -> UInt8 {
        random.chance(40) ? random.byte() | 0xc0 : random.byte()
    }

    /// A byte of SIB, displacement or immediate.
    private static func filler(_ random: inout FuzzRandom) -> UInt8 {
        switch random.below(8) {
        case 0: 0
        case 1: 0xff
        case 2: UInt8(random.below(32))
        default: random.byte()
        }
    }
}
