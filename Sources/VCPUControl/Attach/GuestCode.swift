/// The pages of code that a vCPU has come through lately, and where in them a run of steps has to end.
///
/// They are looked for anew with each run and each full batch of steps, and read anew when the vCPU was
/// in the VMM: both write code, too.
struct GuestCode {
    struct Page: Equatable {
        /// RIP of its first byte.
        var address: UInt64
        /// Where it lies in the VMM; `nil` where that is not known.
        var host: UInt64?
        /// Empty where they cannot be read.
        private(set) var bytes: [UInt8] = []
        /// A bit for each offset at which an instruction would be a hazard.
        private(set) var hazards: [UInt8] = []
        /// Whether the bytes have been read since the VMM last had the vCPU.
        var isRead = false

        mutating func read(_ new: [UInt8]?) {
            isRead = true
            guard bytes != new ?? [] || hazards.isEmpty else { return }
            bytes = new ?? []
            hazards = GuestCode.hazards(in: bytes)
        }
    }

    /// As many as the injected code has room for.
    static let mostPages = 15
    static let pageSize = 4096

    /// The one used last comes first.
    private(set) var pages: [Page] = []

    /// Takes out the page of an address, if it is there.
    mutating func take(_ rip: UInt64) -> Page? {
        let address = rip & ~UInt64(Self.pageSize - 1)
        return pages.firstIndex { $0.address == address }.map { pages.remove(at: $0) }
    }

    /// Takes in the page that is used next.
    mutating func insert(_ page: Page) {
        pages.insert(page, at: 0)
        if pages.count > Self.mostPages { pages.removeLast() }
    }

    mutating func forget() { pages = [] }

    /// The VMM has had the vCPU.
    mutating func doubt() { for index in pages.indices { pages[index].isRead = false } }

    fileprivate static func hazards(in bytes: [UInt8]) -> [UInt8] {
        var bits = [UInt8](repeating: 0, count: pageSize / 8)
        for offset in bytes.indices {
            let window = bytes[offset..<min(offset + 15, bytes.count)]
            if StepHazard(window) != nil { bits[offset / 8] |= 1 << UInt8(offset % 8) }
        }
        return bits
    }

    /// `struct ckvm_attach_pages`: the known pages, with a bit more for each breakpoint.
    func table(_ breakpoints: Set<UInt64>) -> [UInt8] {
        let known = pages.filter { $0.isRead && !$0.bytes.isEmpty }
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
