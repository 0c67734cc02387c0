internal import Glibc

/// The DRAM of a twin's VM: the memory that its owner sees, with private pages encrypted.
///
/// The emulator has its own copy, in which private pages are plain. Shared pages are brought up to
/// date on the way into `KVM_RUN` and out of it; of a page that changes its form the owner sees what
/// DRAM would hold then. What the guest writes to private pages, the owner could not read anyway.
///
/// Unsafe: the memory is the owner's, and stays as long as the memslot.
@safe final class TwinMemory {
    private let start: UnsafeMutableRawPointer
    let size: UInt64
    private let key: UInt64
    /// Pages that the firmware has encrypted.
    private var encrypted: Set<Int> = []
    private var guest: GuestMemory?
    /// The pages that the guest uses as shared, and when that was looked at.
    private var shared: [Int] = []
    private var generation: UInt64 = 0

    init(_ start: UnsafeMutableRawPointer, size: UInt64, key: UInt64) {
        unsafe self.start = start
        (self.size, self.key) = (size, key)
    }

    private var base: UInt64 { UInt64(UInt(bitPattern: unsafe start)) }

    /// Whether addresses of the owner's are all in this memory.
    func contains(_ range: Range<UInt64>) -> Bool {
        range.lowerBound >= base && range.upperBound <= base + size
    }

    /// Encrypts a range of the owner's addresses in place, both ends multiples of 8.
    func encrypt(_ range: Range<UInt64>) {
        let words = unsafe start.assumingMemoryBound(to: UInt64.self)
        for word in Int(range.lowerBound - base) / 8..<Int(range.upperBound - base) / 8 {
            unsafe words[word] ^= GuestMemory.keystream(key, page: word >> 9, word: word & 511)
        }
        for page in Int(range.lowerBound - base) >> 12...Int(range.upperBound - base - 1) >> 12 {
            encrypted.insert(page)
        }
    }

    /// What the key makes of a range of the owner's addresses.
    func decrypted(_ range: Range<UInt64>) -> [UInt8] {
        let address = range.lowerBound - base
        if let guest { return guest.read(address, count: range.count, as: .private) ?? [] }
        return unsafe scrambled(
            [UInt8](UnsafeRawBufferPointer(start: start + Int(address), count: range.count)),
            at: address)
    }

    /// Puts bytes at the owner's address in the form that the key makes plain.
    func encrypt(_ bytes: [UInt8], at address: UInt64) {
        let address = address - base
        _ = guest?.write(bytes, to: address, as: .private)
        let form = guest?.read(address, count: bytes.count, as: .shared)
        let content = form ?? scrambled(bytes, at: address)
        unsafe (start + Int(address)).copyMemory(from: content, byteCount: content.count)
    }

    /// Bytes under the keystream of their place; twice is nothing.
    private func scrambled(_ bytes: [UInt8], at address: UInt64) -> [UInt8] {
        bytes.enumerated().map { position, byte in
            let place = Int(address) + position
            let word = GuestMemory.keystream(key, page: place >> 12, word: (place & 0xfff) >> 3)
            return byte ^ UInt8(truncatingIfNeeded: word >> ((place & 7) * 8))
        }
    }

    /// What the emulator starts with: encrypted pages decrypted, the others shared.
    var regions: [LaunchPlan.Region] {
        (0..<Int(size >> 12)).compactMap { page in
            let isPrivate = encrypted.contains(page)
            let bytes = content(ofPage: page, isPrivate: isPrivate)
            if isPrivate, !bytes.contains(where: { $0 != 0 }) { return nil }
            return LaunchPlan.Region(
                address: .init(UInt64(page) << 12), bytes: bytes, isPrivate: isPrivate)
        }
    }

    private func content(ofPage page: Int, isPrivate: Bool) -> [UInt8] {
        var words = [UInt64](repeating: 0, count: 512)
        unsafe words.withUnsafeMutableBytes { unsafe $0.copyMemory(from: bytes(ofPage: page)) }
        if isPrivate {
            for word in 0..<512 {
                words[word] ^= GuestMemory.keystream(key, page: page, word: word)
            }
        }
        return unsafe words.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    private func bytes(ofPage page: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: start + page << 12, count: 4096)
    }

    /// A number that every byte of DRAM and every register takes part in (FNV-1a, then splitmix64).
    func measurement(_ vcpus: [LaunchPlan.VCPU], count: Int) -> [UInt8] {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func take(_ word: UInt64) { hash = (hash ^ word) &* 0x100_0000_01b3 }
        let words = unsafe start.assumingMemoryBound(to: UInt64.self)
        for word in 0..<Int(size / 8) { take(unsafe words[word]) }
        for vcpu in vcpus { for register in Register.allCases { take(vcpu.registers[register]) } }
        return (0..<count / 8).flatMap { word in
            GuestMemory.keystream(hash, page: 0, word: word).littleEndianBytes
        }
    }
}

// The way into a run, and out of it.
extension TwinMemory {
    /// Takes the memory of the emulator that was made of `regions`.
    func attach(_ guest: GuestMemory) {
        self.guest = guest
        unsafe generation = guest.generation.pointee
        shared = sharedPages(guest)
    }

    private func sharedPages(_ guest: GuestMemory) -> [Int] {
        (0..<guest.pageCount).filter { unsafe guest.states[$0].contains(.shared) }
    }

    /// Shows the guest what the owner wrote to shared pages.
    func enter() {
        guard let guest else { return }
        for page in shared {
            let (old, new) = unsafe (guest.base + page << 12, start + page << 12)
            guard unsafe memcmp(old, new, 4096) != 0 else { continue }
            let bytes = unsafe [UInt8](bytes(ofPage: page))
            _ = guest.write(bytes, to: UInt64(page) << 12, as: .shared)
        }
    }

    /// Shows the owner what the guest wrote to shared pages.
    func leave() {
        guard let guest else { return }
        if unsafe guest.generation.pointee != generation {
            unsafe generation = guest.generation.pointee
            let now = sharedPages(guest)
            // A page that is private now holds its encrypted form.
            for page in Set(shared).subtracting(now) { show(page, of: guest) }
            shared = now
        }
        for page in shared { show(page, of: guest) }
    }

    private func show(_ page: Int, of guest: GuestMemory) {
        guard unsafe guest.states[page].contains(.shared) else {
            let bytes = guest.read(UInt64(page) << 12, count: 4096, as: .shared) ?? []
            unsafe (start + page << 12).copyMemory(from: bytes, byteCount: bytes.count)
            return
        }
        unsafe (start + page << 12).copyMemory(from: guest.base + page << 12, byteCount: 4096)
    }
}
