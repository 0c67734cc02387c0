import Glibc

/// The RAM of a VM with its private and shared pages.
///
/// **Private memory is a model, not a cipher.** A page's buffer holds the plaintext of the form in
/// which it was last used. What DRAM holds follows from it: the bytes themselves for the shared
/// form, the bytes mixed with a keystream (`PrivateForm.swift`) for the private one. A page that is
/// used in the other form is converted in place, so aliases of one page with different C-bits see
/// each other's bytes scrambled, and an access in the usual form costs nothing.
///
/// Unsafe: guest loads and stores go through host addresses, which the TLB keeps; the block lives
/// as long as this object, and each `VirtualMemory` holds a reference to it.
@safe final class GuestMemory {
    /// The first byte of RAM, GPA 0.
    let base: UnsafeMutableRawPointer
    /// One state for each page.
    let states: UnsafeMutablePointer<PageState>
    let pageCount: Int
    /// The C-bit in page-table entries and in CR3.
    let cBitMask: UInt64
    /// The key of the VM.
    let key: UInt64
    /// The decoded instructions of these pages.
    let code: CodeCache
    /// Increases when translations of any vCPU have to be dropped.
    let generation: UnsafeMutablePointer<UInt64>

    /// The pages with an answer that their vCPU has not looked at yet: page number to vCPU.
    private(set) var unreadResponses: [Int: Int] = [:]

    /// Bytes whose change stops vCPUs.
    private var watched: [Range<UInt64>] = []
    /// Whether something was written to them, or their page changed its form.
    private(set) var isTouched = false

    /// Size in bytes.
    var size: UInt64 { UInt64(pageCount) << 12 }

    /// Takes zeroed memory from the host; `nil` where the host has not enough.
    ///
    /// The corresponding call is `mmap`: pages that the guest never touches cost nothing.
    init?(pages: Int, cBit: Int, key: UInt64) {
        let protection = PROT_READ | PROT_WRITE
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard pages > 0, pages <= 1 << 36,
            let block = unsafe mmap(nil, pages << 12, protection, flags, -1, 0),
            unsafe block != MAP_FAILED
        else { return nil }
        unsafe base = block
        unsafe states = .allocate(capacity: pages)
        unsafe states.initialize(repeating: [], count: pages)
        unsafe generation = .allocate(capacity: 1)
        unsafe generation.initialize(to: 0)
        pageCount = pages
        cBitMask = 1 << UInt64(cBit & 63)
        self.key = key
        code = CodeCache(pageCount: pages)
    }

    deinit {
        unsafe munmap(base, pageCount << 12)
        unsafe states.deallocate()
        unsafe generation.deallocate()
    }

    /// Whether RAM is behind a page number (GPA >> 12).
    func contains(page: Int) -> Bool { page >= 0 && page < pageCount }

    /// Whether all of the bytes are RAM.
    func contains(_ address: UInt64, count: Int) -> Bool {
        count >= 0 && address <= size && UInt64(count) <= size - address
    }

    /// The plaintext bytes of a page that `EmulatedVCPU.fetchPage(_:)` returned: 4096 bytes.
    func privateBytes(ofPage page: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: base + page << 12, count: 4096)
    }

    /// Drops decoded instructions that these bytes, which have changed, belong to, and notes
    /// whether they are watched.
    func changed(page: Int, offset: Int, count: Int) {
        noteTouch(page: page, offset: offset, count: count)
        guard unsafe states[page].contains(.code) else { return }
        code.invalidate(page: page, offset: offset, count: count)
        if !code.holdsCode(page: page) { unsafe states[page].remove(.code) }
    }
}

// MARK: - Watched bytes

extension GuestMemory {
    var isWatched: Bool { !watched.isEmpty }

    /// Replaces the bytes whose change stops vCPUs; those that are not RAM are not watched.
    func watch(_ ranges: [Range<UInt64>]) {
        for range in watched { mark(range) { $0.remove(.watched) } }
        watched = ranges.filter { contains($0.lowerBound, count: $0.count) }
        for range in watched { mark(range) { $0.insert(.watched) } }
        isTouched = false
        unsafe generation.pointee &+= 1
    }

    private func mark(_ range: Range<UInt64>, _ change: (inout PageState) -> Void) {
        eachPage(of: range.lowerBound, count: range.count) { page, _, _ in
            unsafe change(&states[page])
        }
    }

    func noteTouch(page: Int, offset: Int, count: Int) {
        guard unsafe states[page].contains(.watched) else { return }
        let start = UInt64(page) << 12 + UInt64(offset)
        let end = start + UInt64(count)
        isTouched = isTouched || watched.contains { $0.overlaps(start..<end) }
    }

    /// Whether watched bytes may have changed since the last call.
    func takeTouch() -> Bool {
        guard isTouched else { return false }
        isTouched = false
        return true
    }
}

// MARK: - Answers in GHCBs

extension GuestMemory {
    /// Makes every load from a page, which holds an answer to a vCPU, miss the TLB.
    func watchResponse(inPage page: Int, to vcpu: Int) {
        guard contains(page: page) else { return }
        unreadResponses[page] = vcpu
        unsafe states[page].insert(.hasUnreadResponse)
        unsafe generation.pointee &+= 1
    }

    /// Ends the watch of a page.
    ///
    /// - Returns: the vCPU whose answer it holds; `nil` where none is watched.
    @discardableResult
    func forgetResponse(inPage page: Int) -> Int? {
        guard let vcpu = unreadResponses.removeValue(forKey: page) else { return nil }
        unsafe states[page].remove(.hasUnreadResponse)
        return vcpu
    }

    /// Ends the watches of a vCPU: its answers are history.
    func forgetResponses(to vcpu: Int) {
        for (page, owner) in unreadResponses where owner == vcpu { forgetResponse(inPage: page) }
    }
}

/// What is known of one page of RAM.
struct PageState: OptionSet {
    let rawValue: UInt8

    /// The page was last used as shared; else as private.
    static let shared = PageState(rawValue: 1)
    /// Instructions of the page are decoded: stores must drop them.
    static let code = PageState(rawValue: 2)
    /// The hypervisor's answer in the page waits for the guest: loads must be noticed.
    static let hasUnreadResponse = PageState(rawValue: 4)
    /// Some bytes are watched.
    static let watched = PageState(rawValue: 8)

    /// Whether stores to the page must be noticed.
    var hearsStores: Bool { !isDisjoint(with: [.code, .watched]) }
}
