/// Where the memory of a foreign guest lies in its VMM: known exactly, found and verified, or unknown.
package struct GuestMemoryMap: Sendable, Equatable {
    package enum Origin: String, Sendable {
        /// KVM's own list of memory slots.
        case slots = "KVM's memory slots, as they are now"
        /// The one mapping of the VMM in which the guest's page tables say what KVM says.
        case pageTables = "a mapping of the VMM whose page tables agree with KVM_TRANSLATE"
        /// The one mapping of the VMM in which the guest's GDT says what KVM says of CS.
        case descriptors = "a mapping of the VMM whose GDT agrees with KVM_GET_SREGS"
        case unknown = "not known: no mapping of the VMM agrees with KVM"
    }

    package var slots: [GuestExtent] = []
    package var origin = Origin.unknown
    /// Why it is not all that KVM knows; `nil` where it is.
    package var limit: String?

    package init(slots: [GuestExtent] = [], origin: Origin = .unknown, limit: String? = nil) {
        (self.slots, self.origin, self.limit) = (slots, origin, limit)
    }

    /// KVM's own list; `nil` where it cannot be had.
    ///
    /// Memory that only system management mode sees is left out, and what may be in a guest_memfd
    /// rather than where the slot says.
    init?(_ vm: ObservedVM) {
        guard let slots = vm.slots.value else { return nil }
        let extents = slots.filter { $0.addressSpace == 0 && !$0.flags.contains(.guestMemory) }
            .map { GuestExtent(guest: $0.start.rawValue, host: $0.hostAddress, size: $0.size) }
        self.init(
            slots: extents, origin: .slots,
            limit: vm.hasMoreSlots ? "the VM has more slots than can be read" : nil)
    }

    /// Mappings smaller than this are no guest memory.
    private static let least: UInt64 = 64 << 10
    /// Where VMMs leave a gap for devices, at the lowest: what lies above may be elsewhere.
    private static let gap: UInt64 = 2 << 30

    /// Takes each large mapping for the guest's memory from address 0 on, and looks which one can be it.
    ///
    /// Where none can, it may be seen under a C-bit, too: then page tables are read through that.
    ///
    /// - Parameters:
    ///   - mappings: those of the VMM.
    ///   - system: the registers of one vCPU.
    ///   - translations: linear addresses and what `KVM_TRANSLATE` says of them.
    ///   - read: memory of the VMM.
    init(
        mappings: [ForeignMapping], system: SystemRegisters,
        translations: [(linear: UInt64, physical: UInt64?)],
        read: (UInt64, Int) -> [UInt8]?
    ) {
        let candidates = mappings.filter {
            $0.permissions.hasPrefix("rw") && UInt64($0.range.count) >= Self.least
                && !$0.name.hasPrefix("[")
        }.map {
            GuestExtent(
                guest: 0, host: $0.range.lowerBound, size: min(UInt64($0.range.count), Self.gap))
        }
        let isPaging = system.cr0 >> 31 & 1 != 0
        let known = translations.filter { $0.physical != nil }
        func isMemory(_ slots: [GuestExtent]) -> Bool {
            func physical(_ address: UInt64, _ count: Int) -> [UInt8]? {
                GuestExtent.host(of: address, count: count, in: slots).flatMap { read($0, count) }
            }
            if !isPaging { return Self.agrees(system, physical) }
            return !known.isEmpty
                && known.allSatisfy {
                    ForeignPageWalk.resolve($0.linear, system, physical) == $0.physical
                }
        }
        var matches = candidates.map { [$0] }.filter(isMemory)
        if matches.isEmpty, let bit = known.compactMap(\.physical).max()?.highestBit {
            matches = candidates.map { [$0, $0.alias(at: bit)] }.filter(isMemory)
        }
        guard matches.count == 1 else { return }
        slots = matches[0].flatMap(Self.withoutHole)
        origin = isPaging ? .pageTables : .descriptors
    }

    /// A PC has video memory and ROM between 640 KiB and 1 MiB: what lies there is not known.
    private static func withoutHole(_ slot: GuestExtent) -> [GuestExtent] {
        let hole: Range<UInt64> = 0xa_0000..<0x10_0000
        guard slot.size > hole.lowerBound else { return [slot] }
        let low = GuestExtent(guest: slot.guest, host: slot.host, size: hole.lowerBound)
        guard slot.size > hole.upperBound else { return [low] }
        return [
            low,
            GuestExtent(
                guest: slot.guest | hole.upperBound, host: slot.host &+ hole.upperBound,
                size: slot.size - hole.upperBound),
        ]
    }

    /// Whether the descriptor of CS in the GDT is what the processor has loaded.
    private static func agrees(
        _ system: SystemRegisters, _ read: (UInt64, Int) -> [UInt8]?
    ) -> Bool {
        let selector = UInt64(system.cs.selector & ~7)
        guard system.cr0 & 1 != 0, selector != 0, selector + 7 <= UInt64(system.gdtr.limit),
            let bytes = read(system.gdtr.base &+ selector, 8)
        else { return false }
        let word = UInt64(littleEndian: bytes)
        let base = word >> 16 & 0xff_ffff | (word >> 56) << 24
        let isCode = word >> 43 & 3 == 3 && word >> 47 & 1 == 1
        return isCode && base == system.cs.base
    }
}

/// A walk through 4-level page tables in guessed memory; anything else is not resolved.
enum ForeignPageWalk {
    private static let frame: UInt64 = 0x000f_ffff_ffff_f000

    static func resolve(
        _ linear: UInt64, _ system: SystemRegisters, _ read: (UInt64, Int) -> [UInt8]?
    ) -> UInt64? {
        // EFER.LMA; CR4.LA57 has a level more.
        guard system.efer >> 10 & 1 != 0 else { return nil }
        var table = system.cr3 & frame
        var shift: UInt64 = system.cr4 >> 12 & 1 != 0 ? 48 : 39
        while true {
            let index = linear >> shift & 0x1ff
            guard let bytes = read(table &+ index * 8, 8) else { return nil }
            let entry = UInt64(littleEndian: bytes)
            guard entry & 1 != 0 else { return nil }
            let isLarge = shift > 12 && shift < 39 && entry >> 7 & 1 != 0
            if shift == 12 || isLarge {
                let mask = (UInt64(1) << shift) - 1
                return entry & frame & ~mask | linear & mask
            }
            table = entry & frame
            shift -= 9
        }
    }
}

extension GuestExtent {
    /// The same memory under an address bit above it.
    fileprivate func alias(at bit: UInt64) -> GuestExtent {
        GuestExtent(guest: bit, host: host, size: min(size, bit))
    }
}

extension UInt64 {
    fileprivate var highestBit: UInt64? { self == 0 ? nil : 1 << UInt64(63 - leadingZeroBitCount) }
}
