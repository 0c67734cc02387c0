/// The TLB of one vCPU: two direct-mapped sets, for supervisor and for user accesses.
///
/// Unsafe: the fast path of every guest load reads an entry through a plain pointer; the storage
/// lives as long as this object, which `VirtualMemory` holds.
@safe final class TranslationBuffer {
    /// One translation of a 4 KiB page, whatever the size of the guest's page.
    struct Entry {
        /// The page's linear address where loads may use the entry, else `none`.
        var readTag = Entry.none
        /// The same for stores.
        var writeTag = Entry.none
        /// The host address minus the linear address.
        var addend: UInt64 = 0
        /// The page's linear address where stores are allowed but somebody has to hear of them.
        var heardTag = Entry.none

        /// No page: tags have their low 12 bits clear.
        static let none: UInt64 = 1
    }

    static let entriesPerSet = 512
    static let count = 2 * entriesPerSet

    let entries: UnsafeMutablePointer<Entry>

    init() {
        unsafe entries = .allocate(capacity: Self.count)
        unsafe entries.initialize(repeating: Entry(), count: Self.count)
    }

    deinit { unsafe entries.deallocate() }

    /// Drops everything.
    func clear() { unsafe entries.update(repeating: Entry(), count: Self.count) }

    /// Makes stores to a page take the slow path; `host` is the page's host address.
    func hearStores(host: UInt64) {
        for index in 0..<Self.count {
            let tag = unsafe entries[index].writeTag
            guard tag != Entry.none, unsafe tag &+ entries[index].addend == host else { continue }
            unsafe entries[index].heardTag = tag
            unsafe entries[index].writeTag = Entry.none
        }
    }
}
