/// What a mapping allows; the bits are those of a page-table entry.
struct PageAccess: OptionSet {
    var rawValue: UInt64

    static let write = PageAccess(rawValue: 1 << 1)
    static let user = PageAccess(rawValue: 1 << 2)
    static let noExecute = PageAccess(rawValue: 1 << 63)
    /// Without the C-bit; not a bit of the entry, and cleared from it.
    static let shared = PageAccess(rawValue: 1 << 9)
}

/// A range of addresses that are mapped to themselves.
struct Mapping {
    /// Page-aligned at both ends.
    var range: Range<UInt64>
    var access: PageAccess
}

/// The four levels of page tables of an identity mapping, with 4 KiB pages (APM volume 2, 5.3).
struct PageTables {
    /// GPA of the top level; the other tables follow it in the order in which they were needed.
    let root: UInt64
    private let encryption: UInt64
    /// All tables, one behind the other.
    private(set) var entries: [UInt64]

    private static let entriesPerTable = 512
    private static let present: UInt64 = 1
    private static let addressMask: UInt64 = 0x000f_ffff_ffff_f000

    init(root: UInt64, cBit: Int) {
        self.root = root
        encryption = 1 << UInt64(cBit)
        entries = [UInt64](repeating: 0, count: Self.entriesPerTable)
    }

    /// The addresses that the tables take up.
    var range: Range<UInt64> { root..<root + UInt64(entries.count * 8) }

    /// Maps a range; what was mapped there before is replaced.
    mutating func map(_ mapping: Mapping) {
        for page in stride(
            from: mapping.range.lowerBound, to: mapping.range.upperBound, by: Int(pageSize))
        {
            map(page, mapping.access)
        }
    }

    /// Maps the tables themselves, those that become necessary by it included.
    mutating func mapTables(_ access: PageAccess) {
        var page = root
        while page < range.upperBound {
            map(page, access)
            page += pageSize
        }
    }

    private mutating func map(_ page: UInt64, _ access: PageAccess) {
        var table = 0
        for level in [3, 2, 1] {
            table = descend(from: table + Self.index(of: page, level))
        }
        let encryption = access.contains(.shared) ? 0 : encryption
        entries[table + Self.index(of: page, 0)] =
            page | Self.present | access.subtracting(.shared).rawValue | encryption
    }

    /// The first entry of the table that an entry names, which is made where there is none.
    private mutating func descend(from entry: Int) -> Int {
        if entries[entry] == 0 {
            let new = range.upperBound
            entries += [UInt64](repeating: 0, count: Self.entriesPerTable)
            let access: PageAccess = [.write, .user]
            entries[entry] = new | Self.present | access.rawValue | encryption
        }
        let address = entries[entry] & Self.addressMask & ~encryption
        return Int(address - root) / 8
    }

    private static func index(of address: UInt64, _ level: Int) -> Int {
        Int(address >> (12 + 9 * UInt64(level)) & 511)
    }
}
