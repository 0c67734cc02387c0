/// The intercepted MSRs of one vCPU: what the hypervisor answers to the MSR event.
///
/// Those that a guest reaches without an exit (REFERENCE 8e) are not here, nor is any other: an
/// access to them fails with #GP. Values are KVM's at reset.
package struct MSRTable: Sendable, Equatable {
    /// Only what differs from the value at reset.
    private var written: [UInt32: UInt64] = [:]
    /// What the guest added to its time stamp counter by writing it.
    private var tscOffset: UInt64 = 0
    private let isBootstrapProcessor: Bool

    package init(isBootstrapProcessor: Bool) { self.isBootstrapProcessor = isBootstrapProcessor }

    /// The name that the processor manuals give an MSR; `nil` where the table has none.
    package static func name(of number: UInt32) -> String? { rows[number]?.name }

    /// - Returns: `nil` where the guest gets #GP.
    package func read(_ number: UInt32, tsc: UInt64) -> UInt64? {
        guard let row = Self.rows[number] else { return nil }
        switch number {
        case Self.tsc: return tsc &+ tscOffset
        case Self.apicBase where written[number] == nil:
            return row.value | (isBootstrapProcessor ? 1 << 8 : 0)
        default: return written[number] ?? row.value
        }
    }

    /// - Returns: false where the guest gets #GP.
    package mutating func write(_ value: UInt64, to number: UInt32, tsc: UInt64) -> Bool {
        guard let row = Self.rows[number] else { return false }
        switch row.access {
        case .readOnly: return false
        case .dropsWrites: return true
        case .fixed: return value == row.value
        case .counter: tscOffset = value &- tsc
        case .keeps(let ignored, let check):
            guard check.allows(value & ~ignored) else { return false }
            written[number] = value & ~ignored
        }
        return true
    }
}

// MARK: - The table

extension MSRTable {
    static let tsc: UInt32 = 0x10
    private static let apicBase: UInt32 = 0x1b

    private struct Row: Sendable {
        let name: String
        let value: UInt64
        let access: Access
    }

    /// What becomes of a write.
    private enum Access: Sendable {
        case readOnly
        case dropsWrites
        /// Only the value that is there may be written.
        case fixed
        case counter
        /// Keeps the value without the ignored bits, if the rest passes the check.
        case keeps(ignored: UInt64 = 0, Check = .any)
    }

    /// Which values may be written, as KVM decides it.
    private enum Check: Sendable {
        case any
        case only(bits: UInt64)
        case mtrrDefault, mtrrFixed, mtrrBase, mtrrMask

        func allows(_ value: UInt64) -> Bool {
            let address: UInt64 = 1 << UInt64(CPUIDTable.physicalAddressBits) - 1
            return switch self {
            case .any: true
            case .only(let bits): value & ~bits == 0
            case .mtrrDefault: value & ~0xcff == 0 && Self.isType(value)
            case .mtrrFixed: (0..<8).allSatisfy { Self.isType(value >> (8 * $0)) }
            case .mtrrBase: value & ~address == 0 && value & 0xf00 == 0 && Self.isType(value)
            case .mtrrMask: value & ~address == 0 && value & 0x7ff == 0
            }
        }

        /// UC, WC, WT, WP or WB in the low byte.
        private static func isType(_ value: UInt64) -> Bool {
            [0, 1, 4, 5, 6].contains(value & 0xff)
        }
    }

    private static let rows: [UInt32: Row] = single.merging(mtrrs) { first, _ in first }

    private static let single: [UInt32: Row] = [
        tsc: Row(name: "TSC", value: 0, access: .counter),
        0x17: Row(name: "PLATFORM_ID", value: 0, access: .readOnly),
        apicBase: Row(
            name: "APIC_BASE", value: 0xfee0_0800,
            // BSP, enable and the address; x2APIC is not offered.
            access: .keeps(.only(bits: 0xffff_ffff_f900))),
        0x2a: Row(name: "EBL_CR_POWERON", value: 0, access: .readOnly),
        0x8b: Row(name: "PATCH_LEVEL", value: 0x0100_0065, access: .dropsWrites),
        0xfe: Row(name: "MTRRcap", value: 0x508, access: .readOnly),
        // Frequency and ratio that KVM makes up.
        0x198: Row(name: "PERF_STATUS", value: 4 << 40 | 1000, access: .readOnly),
        // No branch trace store and no PEBS.
        0x1a0: Row(name: "MISC_ENABLE", value: 0x1800, access: .keeps()),
        0xc001_0010: Row(name: "SYSCFG", value: 0, access: .readOnly),
        0xc001_0015: Row(
            name: "HWCR", value: 0,
            // Ignored: TLB cache disable, flush filter, IGNNE. Kept: McStatusWrEn, TscFreqSel.
            access: .keeps(ignored: 0x148, .only(bits: 1 << 18 | 1 << 24))),
        0xc001_001f: Row(name: "NB_CFG", value: 0, access: .dropsWrites),
        0xc001_0055: Row(name: "INT_PENDING_MSG", value: 0, access: .readOnly),
        0xc001_0058: Row(name: "MMIO_CONF_BASE", value: 0, access: .readOnly),
        0xc001_0112: Row(name: "TSEG_ADDR", value: 0, access: .readOnly),
        0xc001_0113: Row(name: "TSEG_MASK", value: 0, access: .readOnly),
        // LFENCE serialises.
        0xc001_1029: Row(name: "DE_CFG", value: 2, access: .fixed),
        0xc001_102a: Row(name: "BU_CFG2", value: 0, access: .dropsWrites),
    ]

    private static let mtrrs: [UInt32: Row] = {
        var rows = [0x2ff: Row(name: "MTRRdefType", value: 0, access: .keeps(.mtrrDefault))]
        for (number, range) in [(0x250, "64K_00000"), (0x258, "16K_80000"), (0x259, "16K_A0000")] {
            rows[number] = fixedRange(range)
        }
        for index in 0..<8 {
            let start = String(0xc0 + 8 * index, radix: 16, uppercase: true)
            rows[0x268 + index] = fixedRange("4K_\(start)000")
            rows[0x200 + 2 * index] = Row(
                name: "MTRRphysBase\(index)", value: 0, access: .keeps(.mtrrBase))
            rows[0x201 + 2 * index] = Row(
                name: "MTRRphysMask\(index)", value: 0, access: .keeps(.mtrrMask))
        }
        return Dictionary(uniqueKeysWithValues: rows.map { (UInt32($0.key), $0.value) })
    }()

    private static func fixedRange(_ range: String) -> Row {
        Row(name: "MTRRfix" + range, value: 0, access: .keeps(.mtrrFixed))
    }
}
