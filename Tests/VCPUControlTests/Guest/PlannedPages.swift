import VCPUControl

/// A launch plan's memory, and its page tables walked without any machine (APM volume 2, 5.3).
struct PlannedPages {
    let plan: LaunchPlan
    /// Page numbers to contents, of private and of shared pages.
    private let pages: [UInt64: ArraySlice<UInt8>]
    private let sharedPages: Set<UInt64>

    init(_ plan: LaunchPlan) {
        self.plan = plan
        var pages: [UInt64: ArraySlice<UInt8>] = [:]
        var shared: Set<UInt64> = []
        for region in plan.regions {
            for offset in stride(from: 0, to: region.bytes.count, by: 4096) {
                let page = (region.address.rawValue + UInt64(offset)) >> 12
                pages[page] = region.bytes[offset..<offset + 4096]
                if !region.isPrivate { shared.insert(page) }
            }
        }
        self.pages = pages
        sharedPages = shared
    }

    /// Eight bytes, which must not cross a page.
    func load(_ address: UInt64) -> UInt64 {
        let offset = Int(address & 0xfff)
        guard let page = pages[address >> 12] else { return 0 }
        return UInt64(littleEndian: page.dropFirst(offset).prefix(8))
    }

    func isShared(_ address: UInt64) -> Bool { sharedPages.contains(address >> 12) }

    /// The entry of the last level; `nil` where the address is not mapped.
    func entry(_ address: UInt64) -> UInt64? {
        var table = plan.vcpus[0].system.cr3
        for level in [3, 2, 1, 0] as [UInt64] {
            let entry = load(table + (address >> (12 + 9 * level) & 511) * 8)
            guard entry & 1 != 0 else { return nil }
            if level == 0 { return entry }
            // Tables are walked as private memory, so each entry says it is.
            guard entry & cBit != 0 else { return nil }
            table = Self.address(entry, cBit)
        }
        return nil
    }

    var cBit: UInt64 { 1 << UInt64(plan.cBit) }

    private static func address(_ entry: UInt64, _ cBit: UInt64) -> UInt64 {
        entry & 0x000f_ffff_ffff_f000 & ~cBit
    }

    /// The access that an address has: `r` or `w`, `x`, `u`, `s` for shared; `-` where unmapped.
    func access(_ address: UInt64) -> String {
        guard let entry = entry(address), Self.address(entry, cBit) == address & ~0xfff else {
            return "-"
        }
        return (entry & 2 != 0 ? "w" : "r") + (entry >> 63 == 0 ? "x" : "")
            + (entry & 4 != 0 ? "u" : "") + (entry & cBit == 0 ? "s" : "")
    }
}
