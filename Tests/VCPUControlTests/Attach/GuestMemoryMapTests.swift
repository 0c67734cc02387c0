import Testing

@testable import VCPUControl

/// Where guest memory lies in a VMM: only what agrees with KVM is taken.
@Suite("Guest memory of a foreign VMM")
struct GuestMemoryMapTests {
    static let ram: UInt64 = 0x7f00_0000_0000
    static let other: UInt64 = 0x7f10_0000_0000

    /// 2 MiB with page tables at 0x1000 that map 4 MiB: the first 2 identically, the others to them as well.
    static let tables: [UInt64: UInt64] = [
        0x1000: 0x2003, 0x2000: 0x3003, 0x3000: 0x83, 0x3008: 0x83,
    ]

    static func system(paging: Bool = true) -> SystemRegisters {
        var system = SystemRegisters()
        system.cr0 = paging ? 0x8000_0011 : 0x11
        (system.cr3, system.cr4, system.efer) = (0x1000, 0x20, 0x500)
        return system
    }

    static func mapping(_ start: UInt64, _ size: UInt64, _ rest: String) -> ForeignMapping? {
        let end = start + size
        return ForeignMapping("\(String(start, radix: 16))-\(String(end, radix: 16)) \(rest)")
    }

    static let mappings = [
        mapping(ram, 2 << 20, "rw-s 00000000 00:01 7 /dev/zero (deleted)"),
        mapping(other, 2 << 20, "rw-p 00000000 00:00 0 "),
        mapping(0x7f20_0000_0000, 4096, "rw-p 00000000 00:00 0 "),
        mapping(0x7ffc_0000_0000, 1 << 20, "rw-p 00000000 00:00 0 [stack]"),
    ].compactMap { $0 }

    /// The tables in the first mapping, zeros in all others.
    static func read(_ address: UInt64, _ count: Int) -> [UInt8]? {
        let isRAM = address >= ram && address < ram + 2 << 20
        guard isRAM, count == 8, let entry = tables[address - ram] else {
            return [UInt8](repeating: 0, count: count)
        }
        return entry.littleEndianBytes(8)
    }

    @Test("the one mapping whose page tables say what KVM says, without the hole of a PC")
    func verified() {
        let map = GuestMemoryMap(
            mappings: Self.mappings, system: Self.system(),
            translations: [(0x10_0000, 0x10_0000), (0x20_1234, 0x1234), (.max, nil)],
            read: Self.read)
        #expect(map.origin == .pageTables)
        #expect(
            map.slots == [
                .init(guest: 0, host: Self.ram, size: 0xa_0000),
                .init(guest: 0x10_0000, host: Self.ram + 0x10_0000, size: 0x10_0000),
            ])
    }

    @Test("page tables under a C-bit are read where the same memory is without it")
    func encrypted() {
        let bit: UInt64 = 1 << 47
        let tables: [UInt64: UInt64] = [
            0x1000: bit | 0x2003, 0x2000: bit | 0x3003, 0x3000: bit | 0x83,
        ]
        func map(_ physical: UInt64) -> GuestMemoryMap {
            GuestMemoryMap(
                mappings: Self.mappings, system: Self.system(),
                translations: [(0x10_0000, physical)]
            ) { address, count in
                let entry = address >= Self.ram ? tables[address - Self.ram] ?? 0 : 0
                return entry.littleEndianBytes(8)
            }
        }
        let found = map(bit | 0x10_0000)
        #expect(found.origin == .pageTables)
        #expect(found.slots.map(\.guest) == [0, 0x10_0000, bit, bit | 0x10_0000])
        #expect(found.slots[3].host == found.slots[1].host)
        // KVM says that it has another C-bit.
        #expect(map(bit << 1 | 0x10_0000).origin == .unknown)
    }

    @Test("where KVM says otherwise, or says nothing, nothing is known")
    func unknown() {
        for translations: [(UInt64, UInt64?)] in [[(0x20_1234, 0x20_1234)], [(0x1000, nil)], []] {
            let map = GuestMemoryMap(
                mappings: Self.mappings, system: Self.system(),
                translations: translations.map { (linear: $0.0, physical: $0.1) },
                read: Self.read)
            #expect(map == GuestMemoryMap())
        }
    }

    @Test("two mappings that agree are no answer")
    func ambiguous() {
        let map = GuestMemoryMap(
            mappings: Self.mappings, system: Self.system(),
            translations: [(0x1000, 0x1000)]
        ) { address, count in
            Self.read(address >= Self.other ? address - Self.other + Self.ram : address, count)
        }
        #expect(map.origin == .unknown)
    }

    @Test("without paging the GDT has to hold what CS holds")
    func descriptors() {
        var system = Self.system(paging: false)
        system.cs = Segment(selector: 8, attributes: 0xa9b, base: 0)
        system.gdtr = DescriptorTable(base: 0x800, limit: 23)
        func map(_ descriptor: UInt64) -> GuestMemoryMap {
            GuestMemoryMap(mappings: Self.mappings, system: system, translations: []) {
                let isThere = $0 == Self.ram + 0x808
                return isThere ? descriptor.littleEndianBytes(8) : [UInt8](repeating: 0, count: $1)
            }
        }
        #expect(map(0x00cf_9b00_0000_ffff).origin == .descriptors)
        #expect(map(0x00cf_9b00_1000_ffff).origin == .unknown)
        #expect(map(0x00cf_9300_0000_ffff).origin == .unknown)
    }

    @Test("KVM's slots are taken as they are, without what the guest does not see there")
    func memorySlots() throws {
        func slot(_ start: UInt64, space: Int = 0, flags: MemorySlot.Flags = []) -> MemorySlot {
            MemorySlot(
                id: 0, addressSpace: space, start: .init(start), size: 0x1000,
                hostAddress: Self.ram + start, flags: flags)
        }
        var vm = ObservedVM(
            slots: .known(
                [
                    slot(0), slot(0x1000, flags: .readOnly), slot(0x2000, space: 1),
                    slot(0x3000, flags: .guestMemory),
                ], from: .direct), vcpus: [])
        let map = try #require(GuestMemoryMap(vm))
        #expect(map.slots.map(\.guest) == [0, 0x1000])
        #expect(map.origin == .slots && map.limit == nil)
        vm.hasMoreSlots = true
        #expect(GuestMemoryMap(vm)?.limit?.contains("more slots") == true)
        vm.slots = .hidden(.needsBPF)
        #expect(GuestMemoryMap(vm) == nil)
    }

    @Test("an access that leaves a slot is not known")
    func slots() {
        let slots = [GuestExtent(guest: 0x1000, host: 0x7000, size: 0x1000)]
        #expect(GuestExtent.host(of: 0x1ff8, count: 8, in: slots) == 0x7ff8)
        #expect(GuestExtent.host(of: 0x1ff9, count: 8, in: slots) == nil)
        #expect(GuestExtent.host(of: 0xfff, in: slots) == nil)
        #expect(GuestExtent.host(of: .max, count: 8, in: slots) == nil)
    }
}
