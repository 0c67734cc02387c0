/// The size of the pages that sevdbg maps.
let pageSize: UInt64 = 4096

extension UInt64 {
    /// The first multiple of the page size that is not below; callers keep clear of 2^64.
    var roundedUpToPage: UInt64 { (self &+ pageSize &- 1) & ~(pageSize &- 1) }
    var roundedDownToPage: UInt64 { self & ~(pageSize &- 1) }
    var isPageAligned: Bool { self & (pageSize &- 1) == 0 }

    /// As a user types it: `0x100000`.
    var hexadecimal: String { "0x" + String(self, radix: 16) }
}
