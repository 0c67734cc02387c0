import Testing

@testable import VCPUControl

@Suite("Private and shared memory")
struct PrivateMemoryTests {
    static let word: UInt64 = 0x1122_3344_5566_7788

    @Test("a page used as private is scrambled for the host and for mappings without the C-bit")
    func privateIsScrambled() throws {
        let guest = try #require(SystemGuest())
        guest.map(0x200000, to: 0x100000, shared: true)
        _ = guest.fault { (vcpu) throws(Fault) in try vcpu.store(Self.word, at: 0x100000, .ds) }
        let key = guest.memory.keystream(page: 0x100, word: 0)
        #expect(guest.get(0x100000, as: .shared) == Self.word ^ key)
        #expect(guest.get(0x100000, as: .private) == Self.word)
        var alias: UInt64 = 0
        _ = guest.fault { (vcpu) throws(Fault) in
            alias = try vcpu.load(UInt64.self, at: 0x200000, .ds)
        }
        #expect(alias == Self.word ^ key)
        #expect(guest.get(0x100000, as: .asUsed) == Self.word ^ key)
        _ = guest.fault { (vcpu) throws(Fault) in
            alias = try vcpu.load(UInt64.self, at: 0x100000, .ds)
        }
        #expect(alias == Self.word)
    }

    @Test("a write without the C-bit scrambles what the private view sees, and back")
    func sharedWrite() throws {
        let guest = try #require(SystemGuest())
        guest.map(0x200000, to: 0x100000, shared: true)
        _ = guest.fault { (vcpu) throws(Fault) in
            _ = try vcpu.load(UInt64.self, at: 0x100000, .ds)
            try vcpu.store(Self.word, at: 0x200000, .ds)
        }
        let key = guest.memory.keystream(page: 0x100, word: 0)
        var seen: UInt64 = 0
        _ = guest.fault { (vcpu) throws(Fault) in
            seen = try vcpu.load(UInt64.self, at: 0x100000, .ds)
        }
        #expect(seen == Self.word ^ key)
        #expect(guest.get(0x100000, as: .shared) == Self.word)
        #expect(guest.get(0x100008, as: .private) == 0)
    }

    @Test("the host reads and writes DRAM without changing how the guest uses the page")
    func hostView() throws {
        let guest = try #require(SystemGuest())
        let host = HostView(guest: guest.memory)
        #expect(host.write([1, 2, 3], to: .init(0x10_0fff)))
        let state = unsafe guest.memory.states[0x100]
        #expect(state == [])
        #expect(host.read(.init(0x10_0fff), count: 3) == [1, 2, 3])
        #expect(guest.memory.read(0x10_0fff, count: 3, as: .private) != [1, 2, 3])
        #expect(host.read(.init(0x40_0000 - 2), count: 3) == nil)
        #expect(!host.write([0, 0], to: .init(.max)))
        #expect(host.read(.init(0x40_0000), count: 0) == [])
    }

    @Test("page tables are walked as private whatever the C-bits and the page's form")
    func walksArePrivate() throws {
        let guest = try #require(SystemGuest())
        guest.map(0x200000, to: 0x4000, shared: true)
        var entry: UInt64 = 0
        _ = guest.fault { (vcpu) throws(Fault) in
            entry = try vcpu.load(UInt64.self, at: 0x200000, .ds)
        }
        let state = unsafe guest.memory.states[4]
        #expect(state == .shared)
        #expect(entry != 7 | SystemGuest.cBit)
        let fault = guest.fault { (vcpu) throws(Fault) in
            _ = try vcpu.load(UInt64.self, at: 0x101000, .ds)
        }
        #expect(fault == nil)
        #expect(guest.get(guest.entryAddress(0x101000)) == 0x101027 | SystemGuest.cBit)
        guest.vcpu.system.cr3 &= ~SystemGuest.cBit
        guest.put(0x2007, at: 0x1000)
        guest.vcpu.memory.flush()
        let again = guest.fault { (vcpu) throws(Fault) in
            _ = try vcpu.load(UInt64.self, at: 0x101000, .ds)
        }
        #expect(again == nil)
    }

    @Test("instructions are fetched as private from a page that is mapped shared")
    func fetchIsPrivate() throws {
        let guest = try #require(SystemGuest())
        guest.put(Self.word, at: 0x100000)
        guest.map(0x100000, to: 0x100000, shared: true)
        _ = guest.fault { (vcpu) throws(Fault) in
            _ = try vcpu.load(UInt64.self, at: 0x100000, .ds)
        }
        let page = try #require(try? guest.vcpu.fetchPage(0x100000))
        let first = unsafe guest.memory.privateBytes(ofPage: page)[0]
        #expect(first == 0x88)
    }

    @Test("a conversion voids the translations of every vCPU")
    func otherTLBs() throws {
        let guest = try #require(SystemGuest())
        var other = EmulatedVCPU(memory: VirtualMemory(guest: guest.memory))
        other.system = guest.vcpu.system
        guest.map(0x200000, to: 0x100000, shared: true)
        _ = try? other.store(Self.word, at: 0x100000, .ds)
        let before = other.memory.generation
        _ = guest.fault { (vcpu) throws(Fault) in
            _ = try vcpu.load(UInt64.self, at: 0x200000, .ds)
        }
        other.memory.synchronize()
        #expect(other.memory.generation > before)
        #expect(try other.load(UInt64.self, at: 0x100000, .ds) == Self.word)
    }
}
