/// A walk of the guest's 4-level page tables (APM volume 2, 5.3).
///
/// The C-bit is taken out of CR3 and every entry; the walk itself is always private, and the leaf's
/// C-bit says how the page is used (REFERENCE 8b). A table without RAM reads as all ones.
struct PageWalk {
    let guest: GuestMemory
    let root: UInt64
    let noExecuteEnabled: Bool

    /// What a walk finds.
    enum Outcome {
        case notPresent
        case reservedBits
        case mapped(Mapping)
    }

    /// The translation of one 4 KiB page, with the permissions of all levels together.
    struct Mapping {
        /// The page's GPA, without the C-bit.
        var address: UInt64 = 0
        var isPrivate = false
        var isWritable = true
        var isUser = true
        var isNoExecute = false
        var isDirty = false
        /// GPAs of the entries, from the top; `depth` of them.
        var entries = InlineArray<4, UInt64>(repeating: 0)
        var depth = 0
    }

    /// The bits of an entry.
    enum Bits {
        static let present: UInt64 = 1
        static let writable: UInt64 = 2
        static let user: UInt64 = 4
        static let accessed: UInt64 = 0x20
        static let dirty: UInt64 = 0x40
        static let large: UInt64 = 0x80
        static let noExecute: UInt64 = 1 << 63
        /// Bits 51:12.
        static let address: UInt64 = 0x000f_ffff_ffff_f000
        /// Bits 51:48: the width of physical addresses is 48.
        static let beyondPhysical: UInt64 = 0x000f_0000_0000_0000
    }

    func resolve(_ linear: UInt64) -> Outcome {
        var mapping = Mapping()
        var table = root & Bits.address & ~guest.cBitMask
        var shift: UInt64 = 39
        while true {
            let place = table | (linear >> shift & 511) << 3
            let raw = guest.tableEntry(at: place) ?? .max
            guard raw & Bits.present != 0 else { return .notPresent }
            guard raw & reserved(raw, shift: shift) & ~guest.cBitMask == 0 else {
                return .reservedBits
            }
            mapping.add(raw, at: place)
            table = raw & Bits.address & ~guest.cBitMask
            if shift == 12 || shift < 39 && raw & Bits.large != 0 {
                return .mapped(mapping.ending(raw, linear, shift: shift, cBit: guest.cBitMask))
            }
            shift -= 9
        }
    }

    /// The bits that must be zero in an entry; bit 8 of a PML4E is reserved on AMD.
    private func reserved(_ raw: UInt64, shift: UInt64) -> UInt64 {
        let always = Bits.beyondPhysical | (noExecuteEnabled ? 0 : Bits.noExecute)
        switch shift {
        case 39: return always | 0x180
        case 30 where raw & Bits.large != 0: return always | 0x3fff_e000
        case 21 where raw & Bits.large != 0: return always | 0x1f_e000
        default: return always
        }
    }

    /// Sets A in every entry that was used, and D in the leaf after a write.
    func markUsed(_ mapping: Mapping, dirty: Bool) {
        for level in 0..<mapping.depth {
            let isLeaf = level == mapping.depth - 1
            let bits = Bits.accessed | (isLeaf && dirty ? Bits.dirty : 0)
            guest.setBits(bits, inTableEntryAt: mapping.entries[level])
        }
    }
}

extension PageWalk.Mapping {
    fileprivate mutating func add(_ raw: UInt64, at place: UInt64) {
        isWritable = isWritable && raw & PageWalk.Bits.writable != 0
        isUser = isUser && raw & PageWalk.Bits.user != 0
        isNoExecute = isNoExecute || raw & PageWalk.Bits.noExecute != 0
        entries[depth] = place
        depth += 1
    }

    fileprivate func ending(
        _ raw: UInt64, _ linear: UInt64, shift: UInt64, cBit: UInt64
    ) -> Self {
        var result = self
        let inside: UInt64 = (1 << shift) - 1
        let frame = raw & PageWalk.Bits.address & ~cBit & ~inside
        result.address = frame | linear & inside & ~0xfff
        result.isPrivate = raw & cBit != 0
        result.isDirty = raw & PageWalk.Bits.dirty != 0
        return result
    }
}
