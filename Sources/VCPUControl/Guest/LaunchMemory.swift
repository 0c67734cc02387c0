/// Guest memory before the first instruction: the pages that are not zero or are shared.
struct LaunchMemory {
    private var pages: [UInt64: [UInt8]] = [:]
    private var sharedPages: Set<UInt64> = []

    mutating func write(_ bytes: some Collection<UInt8>, at address: UInt64) {
        var rest = bytes[...]
        var address = address
        while !rest.isEmpty {
            let page = address.roundedDownToPage
            let offset = Int(address - page)
            let part = rest.prefix(Int(pageSize) - offset)
            pages[page, default: Self.emptyPage].replaceSubrange(
                offset..<offset + part.count, with: part)
            rest = rest.dropFirst(part.count)
            address &+= UInt64(part.count)
        }
    }

    /// Writes a number in little-endian order.
    mutating func write(_ value: some FixedWidthInteger, at address: UInt64) {
        write(value.littleEndianBytes, at: address)
    }

    /// Makes all pages of a range plaintext, whatever is written to them before or later.
    mutating func share(_ range: Range<UInt64>) {
        for page in stride(from: range.lowerBound, to: range.upperBound, by: Int(pageSize)) {
            sharedPages.insert(page)
        }
    }

    /// The pages in order of address, neighbours of a kind in one region.
    var regions: [LaunchPlan.Region] {
        var regions: [LaunchPlan.Region] = []
        for page in Set(pages.keys).union(sharedPages).sorted() {
            let isPrivate = !sharedPages.contains(page)
            let bytes = pages[page] ?? Self.emptyPage
            if let last = regions.last, last.isPrivate == isPrivate,
                last.address.rawValue + UInt64(last.bytes.count) == page
            {
                regions[regions.count - 1].bytes += bytes
            } else {
                regions.append(.init(address: .init(page), bytes: bytes, isPrivate: isPrivate))
            }
        }
        return regions
    }

    private static let emptyPage = [UInt8](repeating: 0, count: Int(pageSize))
}
