// Address translation, by the guest's page tables.
extension StubbedMachine {
    package func translate(
        _ address: GuestVirtualAddress, on vcpu: Int
    ) -> Reading<Translation?> {
        guard vcpus.indices.contains(vcpu) else { return .hidden(.unmapped) }
        guard let number = anyStopped(preferring: vcpu),
            let root = vcpus[number].report?.system.cr3
        else { return .hidden(isOver ? .protected : .running) }
        // vCPUs share the tables of the launch, but not those of their own.
        guard root == stub.tables || number == vcpu else { return .hidden(.running) }
        // Through the stub they cannot be walked: they need not be mapped to themselves.
        guard root == stub.tables || decrypts else { return .hidden(.protected) }
        return translation(of: address.rawValue, by: root)
    }

    /// Where an address lies by the page tables of the vCPUs in the stub, else by those that the
    /// others had at their last stop; `nil` where none of them maps it.
    func lastTranslation(of address: UInt64) -> Translation? {
        let roots = vcpus.compactMap { $0.report?.system.cr3 } + vcpus.compactMap(\.lastTables)
        for root in roots {
            if case .known(let found?, _) = translation(of: address, by: root) { return found }
        }
        return nil
    }

    private func translation(of address: UInt64, by root: UInt64) -> Reading<Translation?> {
        switch walk(address, root) {
        case .entry(let entry, let size):
            let frame = entry & Self.addressMask & ~encryption & ~(size - 1)
            let place = GuestPhysicalAddress(frame | address & (size - 1))
            let isPrivate = entry & encryption != 0
            return .known(Translation(address: place, isPrivate: isPrivate), from: .selfReport)
        case .notMapped: return .known(nil, from: .selfReport)
        case .unreadable: return .hidden(.unmapped)
        }
    }

    package func isPrivate(_ page: GuestPhysicalAddress) -> Reading<Bool> {
        let outside = base.isPrivate(page)
        guard case .hidden(.protected) = outside else { return outside }
        // Where RAM is mapped to itself, the C-bit of the mapping is how the guest uses the page.
        switch translate(GuestVirtualAddress(page.rawValue), on: anyStopped() ?? 0) {
        case .known(let translation?, let source) where translation.address == page:
            return .known(translation.isPrivate, from: source)
        case .known(nil, _): return .hidden(.unmapped)
        case .known: return .hidden(.protected)
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
    private func walk(_ address: UInt64, _ root: UInt64) -> WalkEnd {
        guard Int64(bitPattern: address << 16) >> 16 == Int64(bitPattern: address) else {
            return .notMapped
        }
        var table = root & Self.addressMask & ~encryption
        for level in (0...3 as ClosedRange<UInt64>).reversed() {
            let shift = 12 + 9 * level
            let place = table + (address >> shift & 511) * 8
            guard let bytes = privateBytes(place, count: 8).value else { return .unreadable }
            let entry = UInt64(littleEndian: bytes)
            guard entry & 1 != 0 else { return .notMapped }
            let isLarge = entry & 0x80 != 0 && (level == 1 || level == 2)
            if level == 0 || isLarge { return .entry(entry, size: 1 << shift) }
            table = entry & Self.addressMask & ~encryption
        }
        return .notMapped
    }
}
