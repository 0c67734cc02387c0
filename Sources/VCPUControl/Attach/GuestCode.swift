/// The pages of code that a vCPU has come through lately, and where in them a run of steps has to end.
///
/// They are read anew with each run and each full batch of steps: guests write code, too.
struct GuestCode {
    struct Page: Equatable {
        /// RIP of its first byte.
        var address: UInt64
        /// Empty where the page is not known.
        var bytes: [UInt8]
        /// A bit for each offset at which an instruction would be a hazard.
        var hazards: [UInt8]
    }

    /// As many as the injected code has room for.
    static let mostPages = 15
    static let pageSize = 4096

    /// The one used last comes first.
    private(set) var pages: [Page] = []

    /// The page of an address, if it is there.
    mutating func use(_ rip: UInt64) -> Page? {
        let address = rip & ~UInt64(Self.pageSize - 1)
        guard let index = pages.firstIndex(where: { $0.address == address }) else { return nil }
        if index != 0 { pages.insert(pages.remove(at: index), at: 0) }
        return pages[0]
    }

    /// Takes a page in, at its first address; `nil`: it cannot be read.
    mutating func insert(_ bytes: [UInt8]?, at address: UInt64) {
        let bytes = bytes ?? []
        pages.insert(Page(address: address, bytes: bytes, hazards: Self.hazards(in: bytes)), at: 0)
        if pages.count > Self.mostPages { pages.removeLast() }
    }

    mutating func forget() { pages = [] }

    private static func hazards(in bytes: [UInt8]) -> [UInt8] {
        var bits = [UInt8](repeating: 0, count: pageSize / 8)
        for offset in bytes.indices {
            let window = bytes[offset..<min(offset + 15, bytes.count)]
            if StepHazard(window) != nil { bits[offset / 8] |= 1 << UInt8(offset % 8) }
        }
        return bits
    }

    /// `struct ckvm_attach_pages`: the known pages, with a bit more for each breakpoint.
    func table(_ breakpoints: Set<UInt64>) -> [UInt8] {
        let known = pages.filter { !$0.bytes.isEmpty }
        var table = UInt64(known.count).littleEndianBytes(8)
        for page in known {
            var ends = page.hazards
            for place in breakpoints where place &- page.address < UInt64(Self.pageSize) {
                let offset = Int(place &- page.address)
                ends[offset / 8] |= 1 << UInt8(offset % 8)
            }
            table += page.address.littleEndianBytes(8) + ends
        }
        return table
    }
}

extension GuestCode.Page {
    /// What there is to know of the instruction at an address of this page.
    func hazard(at rip: UInt64) -> StepHazard? {
        guard !bytes.isEmpty else { return .unknown }
        let offset = Int(rip & UInt64(GuestCode.pageSize - 1))
        return StepHazard(bytes[offset..<min(offset + 15, bytes.count)])
    }
}
