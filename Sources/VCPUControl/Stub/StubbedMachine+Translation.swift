// Address translation, by the tables of the launch.
extension StubbedMachine {
    package func translate(
        _ address: GuestVirtualAddress, on vcpu: Int
    ) -> Reading<Translation?> {
        guard vcpus.indices.contains(vcpu) else { return .hidden(.unmapped) }
        guard let number = anyStopped(preferring: vcpu) else {
            return .hidden(isOver ? .protected : .running)
        }
        // The guest's own tables need not be mapped to themselves, so they cannot be walked.
        guard vcpus[number].report?.system.cr3 == stub.tables else { return .hidden(.protected) }
        switch walk(address.rawValue, number) {
        case .entry(let entry, let size):
            let frame = entry & Self.addressMask & ~encryption & ~(size - 1)
            let place = GuestPhysicalAddress(frame | address.rawValue & (size - 1))
            let isPrivate = entry & encryption != 0
            return .known(Translation(address: place, isPrivate: isPrivate), from: .selfReport)
        case .notMapped: return .known(nil, from: .selfReport)
        case .unreadable: return .hidden(.unmapped)
        }
    }

    package func isPrivate(_ page: GuestPhysicalAddress) -> Reading<Bool> {
        let outside = base.isPrivate(page)
        guard case .hidden(.protected) = outside else { return outside }
        // RAM is mapped to itself: the C-bit of the mapping is how the guest uses the page.
        switch translate(GuestVirtualAddress(page.rawValue), on: 0) {
        case .known(let translation?, let source):
            return .known(translation.isPrivate, from: source)
        case .known(nil, _): return .hidden(.unmapped)
        case .hidden(let reason): return .hidden(reason)
        }
    }

    private static let addressMask: UInt64 = 0x000f_ffff_ffff_f000
    private var encryption: UInt64 { 1 << UInt64(cBit & 63) }

    private enum WalkEnd {
        /// The last entry, and the size of what it maps.
        case entry(UInt64, size: UInt64)
        case notMapped
        case unreadable
    }

    /// Four levels (APM volume 2, 5.3).
    private func walk(_ address: UInt64, _ number: Int) -> WalkEnd {
        guard Int64(bitPattern: address << 16) >> 16 == Int64(bitPattern: address) else {
            return .notMapped
        }
        var table = stub.tables & Self.addressMask
        for level in (0...3 as ClosedRange<UInt64>).reversed() {
            let shift = 12 + 9 * level
            let place = GuestVirtualAddress(table + (address >> shift & 511) * 8)
            guard let bytes = cached(place, count: 8, number) else { return .unreadable }
            let entry = UInt64(littleEndian: bytes)
            guard entry & 1 != 0 else { return .notMapped }
            let isLarge = entry & 0x80 != 0 && (level == 1 || level == 2)
            if level == 0 || isLarge { return .entry(entry, size: 1 << shift) }
            table = entry & Self.addressMask & ~encryption
        }
        return .notMapped
    }
}
