/// A vCPU's view of memory through the guest's page tables, with its TLB.
///
/// Copies share the TLB. Accesses are in `MemoryAccess.swift`, the way of a miss in
/// `MemoryMiss.swift`, the guest's tables in `PageWalk.swift`.
@safe struct VirtualMemory {
    let guest: GuestMemory
    private let buffer = TranslationBuffer()
    /// The set of the current privilege.
    private(set) var entries: UnsafeMutablePointer<TranslationBuffer.Entry>
    /// Whether accesses are those of CPL 3.
    private(set) var isUser = false
    /// Increases whenever a translation that was valid may be so no more.
    private(set) var generation: UInt64 = 0
    /// The generation of `guest` that this TLB fits.
    private var guestGeneration: UInt64 = 0
    private var isEmpty = true

    init(guest: GuestMemory) {
        self.guest = guest
        unsafe entries = buffer.entries
    }

    /// The only entry that can hold a linear address.
    @inline(__always)
    func entry(for linear: UInt64) -> UnsafeMutablePointer<TranslationBuffer.Entry> {
        let mask = UInt64(TranslationBuffer.entriesPerSet - 1)
        return unsafe entries + Int(truncatingIfNeeded: linear >> 12 & mask)
    }

    /// Drops all translations.
    mutating func flush() {
        generation &+= 1
        guard !isEmpty else { return }
        buffer.clear()
        isEmpty = true
    }

    /// Chooses the set for CPL 3 or for the other levels.
    mutating func setUser(_ user: Bool) {
        guard user != isUser else { return }
        isUser = user
        generation &+= 1
        unsafe entries = buffer.entries + (user ? TranslationBuffer.entriesPerSet : 0)
    }

    /// Drops what other vCPUs or the host have made void; before a vCPU runs.
    @inline(__always)
    mutating func synchronize() {
        guard unsafe guestGeneration != guest.generation.pointee else { return }
        unsafe guestGeneration = guest.generation.pointee
        flush()
    }

    /// Makes a page hold the form in which it is about to be used.
    mutating func use(page: Int, asPrivate: Bool) {
        if guest.use(page: page, asPrivate: asPrivate) { synchronize() }
    }

    /// Called when the first instruction of a page is decoded: stores to it must be noticed.
    mutating func codeAppeared(inPage page: Int) {
        guard guest.contains(page: page), unsafe !guest.states[page].contains(.code) else { return }
        unsafe guest.states[page].insert(.code)
        unsafe guest.generation.pointee &+= 1
        unsafe guestGeneration = guest.generation.pointee
        unsafe buffer.hearStores(host: UInt64(UInt(bitPattern: guest.base)) + UInt64(page) << 12)
    }

    /// Lets the run loop look around before the next instruction, if watched bytes were touched.
    @inline(__always)
    mutating func noteTouch() {
        if guest.isTouched { generation &+= 1 }
    }

    /// Enters a translation into the current set.
    mutating func fill(_ linear: UInt64, page: Int, writable: Bool) {
        isEmpty = false
        let tag = linear & ~0xfff
        let entry = unsafe entry(for: linear)
        if unsafe entry.pointee.readTag != tag { unsafe entry.pointee = .init() }
        unsafe entry.pointee.readTag = tag
        let host = unsafe UInt64(UInt(bitPattern: guest.base)) + UInt64(page) << 12
        unsafe entry.pointee.addend = host &- tag
        guard writable else { return }
        if unsafe guest.states[page].hearsStores {
            unsafe entry.pointee.heardTag = tag
        } else {
            unsafe entry.pointee.writeTag = tag
        }
    }
}
