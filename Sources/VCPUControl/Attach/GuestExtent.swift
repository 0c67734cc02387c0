/// A stretch of guest physical memory that lies in one piece in the VMM.
package struct GuestExtent: Sendable, Equatable {
    package var guest: UInt64
    /// Its address in the VMM.
    package var host: UInt64
    package var size: UInt64

    package init(guest: UInt64, host: UInt64, size: UInt64) {
        (self.guest, self.host, self.size) = (guest, host, size)
    }

    /// Where `count` bytes of guest memory lie in the VMM; `nil` where that is not known.
    static func host(of address: UInt64, count: Int = 1, in slots: [GuestExtent]) -> UInt64? {
        for slot in slots where address >= slot.guest && address - slot.guest < slot.size {
            let offset = address - slot.guest
            guard UInt64(count) <= slot.size - offset else { return nil }
            return slot.host &+ offset
        }
        return nil
    }
}
