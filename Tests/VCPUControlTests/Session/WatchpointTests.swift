import Testing

@testable import VCPUControl

@Suite("Watchpoints")
struct WatchpointTests {
    /// A machine that writes a byte with each run, and says of some that it has.
    private static func session(
        _ writes: [(place: Int, value: UInt8, exit: VCPUExit)]
    ) throws -> ScriptedSession {
        var left = writes[...]
        return try ScriptedSession { machine in
            machine.program = { machine, _, _ in
                guard let (place, value, exit) = left.popFirst() else { return .init(exit: .idle) }
                machine.ram[place] = value
                return .init(exit: exit)
            }
        }
    }

    @Test("a change stops, with old and new value; a write of the same value does not")
    func change() throws {
        let scripted = try Self.session([
            (0x2000, 1, .touched), (0x2000, 1, .touched), (0x2008, 1, .touched),
            (0x2003, 2, .touched),
        ])
        #expect(scripted.answer("watch {u32} 0x2000")?.lines == ["Watchpoint 1 at 0x2000, 4 bytes"])
        #expect(scripted.machine.watched == [.init(.init(0x2000), count: 4)])
        let first = try #require(scripted.stop("continue"))
        #expect(first.reason == .watchpoint)
        #expect(first.detail == "watchpoint 1, u32 at 0x2000 0x0 -> 0x1")
        let second = try #require(scripted.stop("continue"))
        #expect(second.detail == "watchpoint 1, u32 at 0x2000 0x1 -> 0x2000001")
        #expect(
            scripted.answer("info breakpoints")?.lines.last
                == "1       watchpoint y   2     0x2000, 4 bytes")
    }

    @Test("what the hypervisor changes is seen with its exit, and reported behind it")
    func exchange() throws {
        let exchange = pageExchange(code: 0x72)
        let scripted = try Self.session([
            (0x2000, 7, .vmgexit(exchange)), (0x2000, 8, .vmgexit(exchange)),
        ])
        _ = scripted.run("watch 0x2000 1")
        #expect(scripted.run("continue").map(\.name) == ["vmgexit", "stop watchpoint", "result"])
        let stop = try #require(scripted.stop("vmgexit"))
        #expect(stop.reason == .vmgexit)
        #expect(stop.detail == "watchpoint 1, u8 at 0x2000 0x7 -> 0x8")
    }

    @Test("what the user sets is no change, nor what happened while a watchpoint was disabled")
    func own() throws {
        let scripted = try Self.session([
            (0x3000, 1, .touched), (0x2000, 9, .limit), (0x3000, 2, .touched),
            (0x2000, 10, .touched),
        ])
        _ = scripted.run("watch 0x2000 1")
        _ = scripted.run("set {u8} 0x2000 = 5")
        #expect(scripted.stop("stepi")?.reason == .step)
        _ = scripted.run("disable 1")
        #expect(scripted.machine.watched.isEmpty)
        #expect(scripted.stop("stepi")?.reason == .step)
        _ = scripted.run("enable 1")
        #expect(scripted.stop("stepi")?.reason == .step)
        #expect(scripted.stop("stepi")?.detail == "watchpoint 1, u8 at 0x2000 0x9 -> 0xa")
    }

    @Test("conditions and counts are those of breakpoints")
    func condition() throws {
        let scripted = try Self.session((1...8).map { (0x2000, $0, .touched) })
        _ = scripted.run("watch 0x2000 1 if {u8} 0x2000 % 2 == 0")
        #expect(scripted.stop("continue 2")?.detail == "watchpoint 1, u8 at 0x2000 0x3 -> 0x4")
        _ = scripted.run("watch 0x1fff 2")
        // 0x1fff counts at 5 and 6, 0x2000 at 6 only.
        #expect(
            scripted.stop("continue 3")?.detail == "watchpoint 2, u16 at 0x1fff 0x500 -> 0x600")
    }

    @Test("of a long one the first bytes that differ are shown, and how many more do")
    func long() {
        var watchpoint = Watchpoint(
            .init(0x1000), expression: nil, pieces: [.init(.init(0x1000), count: 32)])
        var bytes = [UInt8](repeating: 0, count: 32)
        #expect(watchpoint.look(bytes) == nil)
        (bytes[3], bytes[4], bytes[20]) = (1, 2, 3)
        #expect(
            watchpoint.look(bytes)
                == "bytes at 0x1003 00 00 00 00 00 00 00 00 -> 01 02 00 00 00 00 00 00, and 1 more")
        bytes[31] = 0xff
        #expect(watchpoint.look(bytes) == "bytes at 0x101f 00 -> ff")
    }

    @Test(
        "what cannot be watched is said",
        arguments: [
            ("watch 0x2000 0", "cannot watch 0 bytes; 1 to 4096 can be watched"),
            ("watch 0x2000 4097", "cannot watch 4097 bytes; 1 to 4096 can be watched"),
            (
                "watch 0x5000",
                "cannot watch 0x5000: nothing is mapped there; watch it once the guest has mapped it"
            ),
            (
                "watch nowhere",
                "there is no symbol nowhere in the guest; give an address such as 0x100000"
            ),
        ])
    func refused(line: String, message: String) throws {
        let scripted = try ScriptedSession { $0.unmapped = [0x5000] }
        #expect(scripted.failure(line) == message)
        #expect(scripted.answer("info breakpoints")?.lines == ["No breakpoints."])
    }

    @Test("a machine that cannot step cannot watch either")
    func noSteps() throws {
        let scripted = try ScriptedSession { $0.traits.steps = false }
        let text = try #require(scripted.failure("watch 0x2000"))
        #expect(text.contains("use vmgexit"))
    }

    @Test("a relaunch keeps a watchpoint, at the place that its symbol has then")
    func relaunch() throws {
        let scripted = try Self.session([(0x10_0100, 1, .touched)])
        _ = scripted.run("watch helper")
        _ = scripted.run("restart")
        #expect(scripted.machine.watched == [.init(.init(0x10_0100), count: 8)])
        #expect(scripted.answer("info breakpoints")?.lines.last?.hasSuffix("<helper>") == true)
    }
}

@Suite("Watchpoints on the emulator")
struct EmulatedWatchpointTests {
    private func enter(_ code: [UInt8]) throws -> ExaminedGuest {
        let bench = try ConformanceBench(.reference, patience: .seconds(30))
        return try bench.enter(code)
    }

    @Test("a repeated string instruction stops behind the iteration that changes the bytes")
    func repeated() throws {
        // 00 mov $9, %al; 02 lea 1000, %rdi; 09 mov $0x40, %ecx; 0e rep stosb; 10 ret
        let guest = try enter([
            0xb0, 0x09, 0x48, 0x8d, 0x3d, 0xf7, 0x0f, 0x00, 0x00, 0xb9, 0x40, 0x00, 0x00, 0x00,
            0xf3, 0xaa, 0xc3,
        ])
        try guest.run("watch \((GuestImage.flatAddress + 0x1010).hex) 2")
        #expect(try guest.place("continue", .watchpoint) == 0x0e)
        #expect(try guest.value("$rcx") == 0x40 - 0x11)
        #expect(try guest.place("continue", .watchpoint) == 0x0e)
        #expect(try guest.value("$rcx") == 0x40 - 0x12)
        try guest.end(.returned)
    }

    @Test("the bits that the processor sets in page tables are changes of memory, too")
    func pageTables() throws {
        // 00 mov 0x180000, %eax; 07 jmp 00
        let guest = try enter([0x8b, 0x04, 0x25, 0x00, 0x00, 0x18, 0x00, 0xeb, 0xf7])
        // The guest's tables map RAM by pages of 2 MiB or 4 KiB: the last entry on the way is the leaf.
        let system = try #require(guest.machine.systemRegisters(of: 0).value)
        let root = GuestPhysicalAddress(system.cr3 & 0x0000_7fff_ffff_f000)
        var table = root
        for shift in [39, 30, 21, 12] as [UInt64] {
            let place = GuestPhysicalAddress(table.rawValue + (0x18_0000 >> shift & 511) * 8)
            let bytes = try #require(guest.machine.read(place, count: 8, as: .private).value)
            let entry = UInt64(littleEndian: bytes)
            table = .init(entry & 0x0000_7fff_ffff_f000)
            guard shift == 12 || entry & 0x80 != 0 else { continue }
            try guest.run("set {u64} \(place.rawValue.hex) = \((entry & ~0x60).hex)")
            try guest.run("watch \(place.rawValue.hex)")
            break
        }
        let stop = try guest.stop("continue")
        #expect(stop.reason == .watchpoint)
        #expect(stop.rip.value == .init(GuestImage.flatAddress + 7))
    }

    @Test("a watched page is written at full speed again once nobody watches")
    func unwatched() throws {
        // 00 incb 1000; 06 jmp 00
        let guest = try enter([0xfe, 0x05, 0xfa, 0x0f, 0x00, 0x00, 0xeb, 0xf8])
        let place = GuestImage.flatAddress + 0x1000
        try guest.run("watch \(place.hex) 1")
        #expect(try guest.place("continue", .watchpoint) == 6)
        try guest.run("delete")
        try guest.run("stepi 1000")
        #expect(try guest.value("{u8} \(place.hex)") == (1 + 500) % 256)
    }
}
