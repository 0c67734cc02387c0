import Testing

@testable import VCPUControl

@Suite("Paging")
struct PagingTests {
    /// One access to a page at 0x100000 and what it raises: a #PF error code or nothing.
    struct Case: Sendable, CustomStringConvertible {
        var entry: UInt64 = 7
        var access = Access.read
        var user = false
        var cr0: UInt64 = CR0.writeProtect
        var cr4: UInt64 = 0
        var efer: UInt64 = Efer.noExecuteEnable
        var flags: UInt64 = 2
        var code: UInt64?

        var description: String { "\(access) \(user ? "user" : "supervisor") entry \(entry)" }
    }

    static let noExecute = PageWalk.Bits.noExecute
    static let cases: [Case] = [
        Case(code: nil),
        Case(entry: 6, code: 0), Case(entry: 6, access: .write, code: 2),
        Case(entry: 6, user: true, code: 4), Case(entry: 6, access: .write, user: true, code: 6),
        Case(entry: 6, access: .fetch, code: 16),
        Case(entry: 6, access: .fetch, efer: 0, code: 0),
        Case(entry: 6, access: .fetch, cr4: CR4.smep, efer: 0, code: 16),
        Case(entry: 3, user: true, code: 5), Case(entry: 3, access: .write, user: true, code: 7),
        Case(entry: 3, access: .fetch, user: true, code: 21),
        Case(entry: 5, access: .write, code: 3), Case(entry: 5, access: .write, cr0: 0, code: nil),
        Case(entry: 5, access: .write, user: true, cr0: 0, code: 7),
        Case(entry: 7 | noExecute, access: .fetch, code: 17),
        Case(entry: 7 | noExecute, access: .fetch, user: true, code: 21),
        Case(entry: 7 | noExecute, code: nil),
        Case(entry: 7 | noExecute, efer: 0, code: 9),
        Case(entry: 7 | noExecute, access: .fetch, user: true, efer: 0, code: 13),
        Case(access: .fetch, cr4: CR4.smep, code: 17),
        Case(entry: 3, access: .fetch, cr4: CR4.smep, code: nil),
        Case(access: .fetch, user: true, cr4: CR4.smep, code: nil),
        Case(cr4: CR4.smap, code: 1), Case(access: .write, cr4: CR4.smap, code: 3),
        Case(cr4: CR4.smap, flags: FlagBits.alignmentCheck | 2, code: nil),
        Case(user: true, cr4: CR4.smap, code: nil),
        Case(entry: 3, cr4: CR4.smap, code: nil),
        Case(entry: 7 | 1 << 48, code: 9), Case(entry: 7 | 1 << 50, access: .write, code: 11),
        Case(entry: 7 | 1 << 52, code: nil),
    ]

    @Test("an access raises #PF with the exact error code and address", arguments: cases)
    func permissions(_ access: Case) throws {
        let guest = try #require(SystemGuest())
        if access.user { guest.enterUser() }
        guest.vcpu.system.cr0 = guest.vcpu.system.cr0 & ~CR0.writeProtect | access.cr0
        guest.vcpu.system.cr4 |= access.cr4
        guest.vcpu.system.efer = guest.vcpu.system.efer & ~Efer.noExecuteEnable | access.efer
        guest.vcpu.flags.value = access.flags
        guest.map(0x100000, to: 0x100000, flags: access.entry)
        let expected = access.code.map { Fault.pageFault(0x10_0123, $0) }
        for _ in 0..<2 {
            let fault = guest.fault { (vcpu) throws(Fault) in
                switch access.access {
                case .read: _ = try vcpu.load(UInt8.self, at: 0x10_0123, .ds)
                case .write: try vcpu.store(UInt8(1), at: 0x10_0123, .ds)
                case .fetch: _ = try vcpu.fetchPage(0x10_0123)
                }
            }
            #expect(fault == expected)
        }
    }

    @Test("system accesses are a supervisor's at CPL 3, and SMAP holds even with AC set")
    func implicitAccess() throws {
        let guest = try #require(SystemGuest())
        guest.enterUser()
        guest.map(0x100000, to: 0x100000, flags: 3)
        #expect(guest.fault { (vcpu) throws(Fault) in _ = try vcpu.loadSystem(0x10_0000) } == nil)
        guest.vcpu.system.cr4 |= CR4.smap
        guest.vcpu.flags.value |= FlagBits.alignmentCheck
        let fault = guest.fault { (vcpu) throws(Fault) in _ = try vcpu.loadSystem(0x6000) }
        #expect(fault == .pageFault(0x6000, 1))
    }

    @Test("reserved bits of every level raise RSVD")
    func reservedBits() throws {
        let places: [(UInt64, UInt64)] = [
            (0x1000, 0x80), (0x1000, 0x100), (0x1000, 1 << 48), (0x2000, 1 << 49),
            (0x3008, 1 << 50), (0x5000, 1 << 48), (0x3008, 0x80 | 0x2000), (0x2000, 0x80 | 0x2000),
        ]
        for (place, bits) in places {
            let guest = try #require(SystemGuest())
            guest.put(guest.get(place) | bits, at: place)
            guest.vcpu.memory.flush()
            let fault = guest.fault { (vcpu) throws(Fault) in
                _ = try vcpu.load(UInt8.self, at: 0x20_0000, .ds)
            }
            #expect(fault == .pageFault(0x20_0000, 9), "\(place) \(bits)")
        }
    }

    @Test("a table without RAM reads as all ones: RSVD")
    func tableOutsideRAM() throws {
        let guest = try #require(SystemGuest())
        guest.put(0x4000_0007, at: 0x3008)
        let fault = guest.fault { (vcpu) throws(Fault) in
            try vcpu.store(UInt32(0), at: 0x20_0000, .ds)
        }
        #expect(fault == .pageFault(0x20_0000, 11))
    }

    @Test("A is set at every level that is used, D in the leaf by writes only")
    func accessedAndDirty() throws {
        let guest = try #require(SystemGuest())
        let entry = guest.entryAddress(0x100000)
        #expect(guest.get(entry) & 0x60 == 0)
        _ = guest.fault { (vcpu) throws(Fault) in _ = try vcpu.load(UInt8.self, at: 0x100000, .ds) }
        #expect(guest.get(entry) & 0x60 == 0x20)
        #expect([0x1000, 0x2000, 0x3000].allSatisfy { guest.get($0) & 0x60 == 0x20 })
        _ = guest.fault { (vcpu) throws(Fault) in try vcpu.store(UInt8(1), at: 0x100000, .ds) }
        #expect(guest.get(entry) & 0x60 == 0x60)
        #expect(guest.get(0x3000) & 0x40 == 0)
    }

    @Test("an access that faults sets no A or D bit")
    func faultLeavesTables() throws {
        let guest = try #require(SystemGuest())
        guest.map(0x101000, to: 0x101000, flags: 5)
        let fault = guest.fault { (vcpu) throws(Fault) in
            try vcpu.store(UInt64.max, at: 0x10_0ffc, .ds)
        }
        #expect(fault == .pageFault(0x10_1000, 3))
        #expect(guest.get(guest.entryAddress(0x100000)) & 0x60 == 0)
        #expect(guest.get(0x10_0ff8) == 0)
    }

    @Test("2 MiB and 1 GiB pages translate to their offset")
    func largePages() throws {
        let guest = try #require(SystemGuest())
        guest.put(0x11_2233_4455_6677, at: 0x31_2340)
        guest.put(0x20_0087 | SystemGuest.cBit, at: 0x3010)
        guest.put(0x87 | SystemGuest.cBit, at: 0x2008)
        for linear in [0x51_2340, 0x4031_2340] as [UInt64] {
            var value: UInt64 = 0
            let fault = guest.fault { (vcpu) throws(Fault) in
                value = try vcpu.load(UInt64.self, at: linear, .ds)
            }
            #expect(fault == nil)
            #expect(value == 0x11_2233_4455_6677)
        }
        #expect(guest.get(0x2008) & 0x60 == 0x20)
    }

    @Test("accesses across pages use both pages")
    func crossing() throws {
        let guest = try #require(SystemGuest())
        guest.map(0x100000, to: 0x180000)
        guest.map(0x101000, to: 0x140000)
        let value: UInt64 = 0x8877_6655_4433_2211
        _ = guest.fault { (vcpu) throws(Fault) in try vcpu.store(value, at: 0x10_0ffd, .ds) }
        #expect(guest.get(0x18_0ff8) == 0x3322_1100_0000_0000)
        #expect(guest.get(0x14_0000) == 0x88_7766_5544)
        var read: (UInt64, UInt32, SIMD2<UInt64>) = (0, 0, .zero)
        _ = guest.fault { (vcpu) throws(Fault) in
            read.0 = try vcpu.loadForUpdate(UInt64.self, at: 0x10_0ffd, .ds)
            read.1 = try vcpu.load(UInt32.self, at: 0x10_0ffe, .ds)
            read.2 = try vcpu.load128(at: 0x10_0ffd, .ds, aligned: false)
        }
        #expect(read.0 == value)
        #expect(read.1 == 0x5544_3322)
        #expect(read.2 == SIMD2(value, 0))
    }

    @Test("addresses that are not canonical are #SS through SS and #GP through the rest")
    func canonical() throws {
        let guest = try #require(SystemGuest())
        for address in [0x8000_0000_0000, 0x7fff_ffff_fffc, 0xffff_7fff_ffff_fff9] as [UInt64] {
            let ds = guest.fault { (vcpu) throws(Fault) in
                _ = try vcpu.load(UInt64.self, at: address, .ds)
            }
            let ss = guest.fault { (vcpu) throws(Fault) in
                try vcpu.store(UInt64(0), at: address, .ss)
            }
            #expect(ds == .generalProtection())
            #expect(ss == .stack())
        }
    }

    @Test("an address without RAM is #VC(0x400), with nothing written to the other page")
    func mmio() throws {
        let guest = try #require(SystemGuest())
        guest.map(0x101000, to: 0xfe00_0000)
        let expected = Fault.vmmCommunication(0x400)
        let plain = guest.fault { (vcpu) throws(Fault) in
            _ = try vcpu.load(UInt8.self, at: 0x10_1000, .ds)
        }
        let crossing = guest.fault { (vcpu) throws(Fault) in
            try vcpu.store(UInt64.max, at: 0x10_0ffc, .ds)
        }
        let fetch = guest.fault { (vcpu) throws(Fault) in _ = try vcpu.fetchPage(0x10_1000) }
        #expect(plain == expected)
        #expect(crossing == expected)
        #expect(fetch == expected)
        #expect(guest.get(0x10_0ff8) == 0)
    }

    @Test("aligned 16-byte accesses are #GP elsewhere")
    func alignment() throws {
        let guest = try #require(SystemGuest())
        let fault = guest.fault { (vcpu) throws(Fault) in
            _ = try vcpu.load128(at: 0x10_0008, .ss, aligned: true)
        }
        #expect(fault == .generalProtection())
    }

    @Test("#AC is intercepted: #VC(0x51) at CPL 3 with CR0.AM and AC")
    func alignmentCheck() throws {
        let guest = try #require(SystemGuest())
        guest.enterUser()
        guest.vcpu.system.cr0 |= CR0.alignmentMask
        let load = { (vcpu: inout EmulatedVCPU) throws(Fault) in
            _ = try vcpu.load(UInt32.self, at: 0x10_0001, .ds)
        }
        #expect(guest.fault(load) == nil)
        guest.vcpu.flags.value |= FlagBits.alignmentCheck
        guest.vcpu.alignmentCheckChanged()
        #expect(guest.fault(load) == .vmmCommunication(0x51))
    }

    @Test("checkWritable raises what a store would, and writes nothing")
    func checkWritable() throws {
        let guest = try #require(SystemGuest())
        guest.map(0x102000, to: 0x102000, flags: 5)
        let fault = guest.fault { (vcpu) throws(Fault) in
            try vcpu.checkWritable(0x10_0f00, count: 0x1200, .ds)
        }
        #expect(fault == .pageFault(0x10_2000, 3))
        let fine = guest.fault { (vcpu) throws(Fault) in
            try vcpu.checkWritable(0x10_0f00, count: 0x1000, .ds)
        }
        #expect(fine == nil)
    }

    @Test("stores to a page with decoded instructions drop them, and only those")
    func codePages() throws {
        let guest = try #require(SystemGuest())
        let page = try #require(try? guest.vcpu.fetchPage(0x10_0000))
        let store = { (vcpu: inout EmulatedVCPU) throws(Fault) in
            try vcpu.store(UInt8(0x90), at: 0x10_0010, .ds)
        }
        _ = guest.fault(store)
        let generation = guest.vcpu.memory.generation
        guest.vcpu.memory.codeAppeared(inPage: page)
        let isCode = unsafe guest.memory.states[page].contains(.code)
        #expect(isCode)
        #expect(guest.vcpu.memory.generation == generation)
        let entry = unsafe guest.vcpu.memory.entry(for: 0x10_0000).pointee
        #expect(entry.writeTag == TranslationBuffer.Entry.none)
        #expect(entry.heardTag == 0x10_0000)
        #expect(guest.fault(store) == nil)
        #expect(guest.get(0x10_0010) == 0x90)
    }
}
