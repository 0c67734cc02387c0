import CNativeOracle

/// Where the processors of the comparison have their memory.
enum FuzzLayout {
    static let code = UInt64(ORACLE_CODE)..<UInt64(ORACLE_CODE + ORACLE_CODE_SIZE)
    static let data = UInt64(ORACLE_DATA)..<UInt64(ORACLE_DATA + ORACLE_DATA_SIZE)
    static let hole = UInt64(ORACLE_HOLE)..<UInt64(ORACLE_HOLE + 0x1000)
    static let readOnly = UInt64(ORACLE_READONLY)..<UInt64(ORACLE_READONLY + 0x1000)
    static let oracle = UInt64(ORACLE_PRIVATE)..<UInt64(ORACLE_PRIVATE + 0x1000)
    /// Numbers of the data pages that exist.
    static let dataPages = [0, 1, 3, 4]
    /// What code pages are filled with: INT3.
    static let filling: UInt8 = 0xcc
    /// The first address that no page of the host's user space has.
    static let kernel: UInt64 = 0x7fff_ffff_f000

    /// Whether accesses near an address touch nothing but the pages of the comparison.
    static func isSafe(_ address: UInt64) -> Bool {
        let slack: UInt64 = 0x1000
        let isFree = address < 0xffff_f000 - slack || address >= kernel
        let isOracle = address &+ slack >= oracle.lowerBound && address < oracle.upperBound + slack
        return isFree && !isOracle && !isLegacyCall(address)
    }

    /// Whether execution may go on at an address that has no instruction of ours.
    static func isSafeTarget(_ address: UInt64) -> Bool {
        (address < 0xffff_f000 || address >= kernel) && !isLegacyCall(address)
    }

    /// The kernel's page for calls of old programs, which it emulates.
    private static func isLegacyCall(_ address: UInt64) -> Bool {
        address >> 16 == 0xffff_ffff_ff60 || address >> 16 == 0xffff_ffff_ff5f
    }

    /// An address for an operand of some size, with a bent for pages' ends and alignment.
    static func operand(_ random: inout FuzzRandom, size: Int) -> UInt64 {
        switch random.below(100) {
        case 0..<70: return aligned(data.lowerBound + random.pick([0, 0x1000, 0x3000]), &random)
        case 70..<76: return aligned(readOnly.lowerBound, &random)
        case 76..<86:
            let ends: [UInt64] = [0, 0x1000, 0x2000, 0x3000, 0x4000, 0x5000]
            let reach = max(size, 2) + 2
            return data.lowerBound + random.pick(ends) &+ UInt64(random.below(reach))
                &- UInt64(reach - 1)
        case 86..<90: return aligned(hole.lowerBound, &random)
        case 90..<92: return aligned(code.lowerBound, &random)
        case 92..<94: return random.next() & 0x7fff_ffff | 0x3000_0000
        case 94..<97: return random.next() & 0x7fff_ffff_ffff | 1 << UInt64(48 + random.below(15))
        case 97: return 0xffff_8000_0000_0000 | random.next() & 0x7fff_ffff_ffff
        case 98: return random.pick(edges) &+ UInt64(random.below(32)) &- 16
        default: return UInt64(random.below(0x1000))
        }
    }

    /// Half of the operands are aligned to 16 bytes.
    private static func aligned(_ page: UInt64, _ random: inout FuzzRandom) -> UInt64 {
        page + UInt64(random.below(0x1000)) & (random.chance(55) ? ~15 : .max)
    }

    private static let edges: [UInt64] = [0, 0x8000_0000_0000, 0xffff_8000_0000_0000, 0x8000_0000]
}

/// A number in hexadecimal with leading zeros.
func hex(_ value: UInt64, digits: Int = 0) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}
