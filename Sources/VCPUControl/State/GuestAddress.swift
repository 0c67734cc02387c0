/// An address that a guest instruction uses, before translation by the guest's page tables.
package struct GuestVirtualAddress: RawRepresentable, Sendable, Hashable, Comparable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// An address in guest physical memory, without the C-bit.
package struct GuestPhysicalAddress: RawRepresentable, Sendable, Hashable, Comparable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// The first address of the 4 KiB page that holds this one.
    package var page: GuestPhysicalAddress { .init(rawValue & ~0xfff) }
    /// The distance from the start of the page, 0…4095.
    package var offset: Int { Int(rawValue & 0xfff) }
}
