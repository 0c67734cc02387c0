extension GuestMemory {
    /// Eight bytes of the keystream of the VM's key (splitmix64's finalizer of key and place).
    func keystream(page: Int, word: Int) -> UInt64 { Self.keystream(key, page: page, word: word) }

    static func keystream(_ key: UInt64, page: Int, word: Int) -> UInt64 {
        let place = UInt64(truncatingIfNeeded: page << 9 | word)
        var mixed = key &+ (place &+ 1) &* 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// Makes the buffer of a page hold the form in which it is about to be used.
    ///
    /// - Returns: whether the page was converted; then all translations to it are void.
    func use(page: Int, asPrivate: Bool) -> Bool {
        guard unsafe states[page].contains(.shared) == asPrivate else { return false }
        let words = unsafe (base + page << 12).assumingMemoryBound(to: UInt64.self)
        for word in 0..<512 { unsafe words[word] ^= keystream(page: page, word: word) }
        unsafe states[page].formSymmetricDifference(.shared)
        noteTouch(page: page, offset: 0, count: 4096)
        unsafe generation.pointee &+= 1
        return true
    }

    /// Whether a view of a page differs from its buffer.
    private func isScrambled(page: Int, as view: MemoryView) -> Bool {
        switch view {
        case .asUsed: false
        case .private: unsafe states[page].contains(.shared)
        case .shared: unsafe !states[page].contains(.shared)
        }
    }

    /// A byte of the keystream.
    private func keyByte(page: Int, offset: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: keystream(page: page, word: offset >> 3) >> ((offset & 7) * 8))
    }

    /// Reads without converting any page; `nil` where not all of the bytes are RAM.
    func read(_ address: UInt64, count: Int, as view: MemoryView) -> [UInt8]? {
        guard contains(address, count: count) else { return nil }
        let start = Int(address)
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for position in 0..<count {
                unsafe buffer.initializeElement(at: position, to: byte(start + position, as: view))
            }
            initialized = count
        }
    }

    /// One byte of RAM in a view.
    private func byte(_ address: Int, as view: MemoryView) -> UInt8 {
        let plain = unsafe base.load(fromByteOffset: address, as: UInt8.self)
        guard isScrambled(page: address >> 12, as: view) else { return plain }
        return plain ^ keyByte(page: address >> 12, offset: address & 0xfff)
    }

    /// Writes without converting any page, and drops what was decoded from these bytes.
    ///
    /// - Returns: false, with nothing written, where not all of the bytes are RAM.
    func write(_ bytes: [UInt8], to address: UInt64, as view: MemoryView) -> Bool {
        guard contains(address, count: bytes.count) else { return false }
        for (position, byte) in bytes.enumerated() {
            let place = Int(address) + position
            let scrambled = isScrambled(page: place >> 12, as: view)
            let key = scrambled ? keyByte(page: place >> 12, offset: place & 0xfff) : 0
            unsafe base.storeBytes(of: byte ^ key, toByteOffset: place, as: UInt8.self)
        }
        eachPage(of: address, count: bytes.count) { changed(page: $0, offset: $1, count: $2) }
        return true
    }

    /// Splits a range of RAM at page borders.
    func eachPage(
        of address: UInt64, count: Int, _ body: (_ page: Int, _ offset: Int, _ count: Int) -> Void
    ) {
        var position = Int(address)
        let end = position + count
        while position < end {
            let part = min(end, (position | 0xfff) + 1) - position
            body(position >> 12, position & 0xfff, part)
            position += part
        }
    }

    /// Eight bytes as page-table walks see them: always private (REFERENCE 8b); `nil`: no RAM.
    func tableEntry(at address: UInt64) -> UInt64? {
        guard contains(address, count: 8) else { return nil }
        let page = Int(address >> 12)
        let raw = unsafe base.loadUnaligned(fromByteOffset: Int(address), as: UInt64.self)
        guard unsafe states[page].contains(.shared) else { return raw }
        return raw ^ keystream(page: page, word: Int(address & 0xfff) >> 3)
    }

    /// Sets bits in a page-table entry that `tableEntry(at:)` has read.
    func setBits(_ bits: UInt64, inTableEntryAt address: UInt64) {
        let raw = unsafe base.loadUnaligned(fromByteOffset: Int(address), as: UInt64.self)
        guard let value = tableEntry(at: address), value & bits != bits else { return }
        let changedRaw = raw ^ (bits & ~value)
        unsafe base.storeBytes(of: changedRaw, toByteOffset: Int(address), as: UInt64.self)
        changed(page: Int(address >> 12), offset: Int(address & 0xfff), count: 8)
    }
}

/// Guest memory as the hypervisor has it: the contents of DRAM.
struct HostView: HostMemory {
    let guest: GuestMemory

    func read(_ address: GuestPhysicalAddress, count: Int) -> [UInt8]? {
        guest.read(address.rawValue, count: count, as: .shared)
    }

    func write(_ bytes: [UInt8], to address: GuestPhysicalAddress) -> Bool {
        guest.write(bytes, to: address.rawValue, as: .shared)
    }
}
