import Testing

@testable import VCPUControl

@Suite("Through the stub: a guest with page tables of its own")
struct OwnTablesTests {
    /// Maps low addresses once more at `alias`, and the RAM at `ram` shared at `window`.
    private static let program = GuestProgram { guest in
        guest.append(0x0f, 0x20, 0xde)  // mov %cr3, %rsi
        guest.append(0xbf, 0x00, 0x00, 0x20, 0x00)  // mov $0x200000, %edi
        guest.append(0xb9, 0x00, 0x02, 0x00, 0x00, 0xf3, 0x48, 0xa5)  // mov $512, %ecx; rep movsq
        guest.append(0x48, 0x8b, 0x04, 0x25, 0x00, 0x00, 0x20, 0x00)  // mov 0x200000, %rax
        guest.append(0x48, 0x89, 0x04, 0x25, 0x08, 0x00, 0x20, 0x00)  // mov %rax, 0x200008
        entry(&guest, at: 0x20_0010, 0x20_1003)
        entry(&guest, at: 0x20_1000, 0x20_2003)
        entry(&guest, at: 0x20_2008, 0x40_0083)
        guest.append(0xb8, 0x00, 0x00, 0x20, 0x00, 0x0f, 0x22, 0xd8)  // $0x200000 to %cr3
        guest.append(0x48, 0xb8, 0x00, 0x00, 0x20, 0x00, 0x00, 0x01, 0x00, 0x00)  // $window to %rax
        guest.append(0x48, 0xc7, 0x00, 0x88, 0x77, 0x66, 0x55)  // movq $0x55667788, (%rax)
        guest.append(0x48, 0x8d, 0x0d, 0x0f, 0x00, 0x00, 0x00)  // lea 1f(%rip), %rcx
        guest.append(0x48, 0xba, 0, 0, 0, 0, 0x80, 0, 0, 0)  // mov $alias, %rdx
        guest.append(0x48, 0x01, 0xd1, 0xff, 0xe1)  // add %rdx, %rcx; jmp *%rcx
        guest.append(0x90, 0x90, 0x90)  // 1:
        guest.append(0x66, 0xba, 0xf8, 0x03, 0xee, 0x90)  // mov $0x3f8, %dx; out %al, %dx; nop
    }

    private static func entry(_ guest: inout GuestProgram, at place: UInt32, _ value: UInt32) {
        guest.append(0x48, 0xc7, 0x04, 0x25)
        for byte in place.littleEndianBytes + value.littleEndianBytes { guest.append(byte) }
    }

    private static let alias: UInt64 = 1 << 39
    private static let window: UInt64 = 2 << 39 | 0x20_0000
    private static let ram = GuestPhysicalAddress(0x40_0000)

    /// The guest at its first instruction at the alias.
    private static func launch(
        _ make: (LaunchPlan) throws -> any Machine
    ) throws -> (machine: StubbedMachine, driven: DrivenMachine) {
        var options = LaunchOptions()
        options.hasDebugStub = true
        let plan = try LaunchPlan(program.image, options)
        let machine = try StubbedMachine(try make(plan), plan)
        let driven = DrivenMachine(machine)
        for _ in 0..<2000 where try rip(machine) < alias && driven.end == nil { try driven.step() }
        return (machine, driven)
    }

    private static func rip(_ machine: StubbedMachine) throws -> UInt64 {
        try #require(machine.registers(of: 0).value)[.rip]
    }

    @Test("where the firmware decrypts, they are walked, and pages shared later are read")
    func decrypted() throws {
        let (machine, driven) = try Self.launch { try SEVESMachine.twin($0, isTraced: false) }
        let rip = try Self.rip(machine)
        #expect(rip > Self.alias)
        let code = GuestPhysicalAddress(rip - Self.alias)
        #expect(
            machine.translate(.init(rip), on: 0)
                == .known(Translation(address: code, isPrivate: true), from: .selfReport))
        #expect(
            machine.translate(.init(Self.window), on: 0)
                == .known(Translation(address: Self.ram, isPrivate: false), from: .selfReport))
        #expect(machine.translate(.init(3 << 39), on: 0) == .known(nil, from: .selfReport))
        #expect(
            machine.read(Self.ram, count: 4, as: .shared)
                == .known([0x88, 0x77, 0x66, 0x55], from: .direct))
        let nops = Reading.known([UInt8](repeating: 0x90, count: 3), from: .decrypted)
        #expect(machine.read(code, count: 3, as: .private) == nops)
        try machine.setBreakpoints([.init(rip + 1)])
        #expect(machine.read(code, count: 3, as: .private) == nops)
        #expect(machine.base.read(code, count: 3, as: .private).value == [0x90, 0xcc, 0x90])
        try machine.write([0x66], to: .init(code.rawValue + 1), as: .private)
        #expect(machine.base.read(code, count: 3, as: .private).value == [0x90, 0xcc, 0x90])
        try driven.run()
        #expect(driven.end == "breakpoint")
        #expect(try Self.rip(machine) == rip + 1)
        #expect(machine.read(code, count: 3, as: .private).value == [0x90, 0x66, 0x90])
    }

    @Test("a breakpoint in a page that the guest has shared is written as the guest maps it")
    func shared() throws {
        let (machine, _) = try Self.launch { try SEVESMachine.twin($0, isTraced: false) }
        try machine.setBreakpoints([.init(Self.window + 1)])
        func inRAM() -> [UInt8]? { machine.base.read(Self.ram, count: 4, as: .shared).value }
        #expect(inRAM() == [0x88, 0xcc, 0x66, 0x55])
        #expect(machine.read(Self.ram, count: 4, as: .shared).value == [0x88, 0x77, 0x66, 0x55])
        try machine.write([1, 2, 3], to: Self.ram, as: .shared)
        #expect(inRAM() == [1, 0xcc, 3, 0x55])
        try machine.setBreakpoints([])
        #expect(inRAM() == [1, 2, 3, 0x55])
    }

    @Test("a vCPU outside the stub gets a breakpoint by the tables of its last stop")
    func lastTables() throws {
        let (machine, _) = try Self.launch { try SEVESMachine.twin($0, isTraced: false) }
        let behind = try Self.rip(machine) + 8
        guard case (_, .io(let access)) = try machine.run(.all, limit: 1_000_000) else {
            Issue.record("no access")
            return
        }
        #expect(machine.registers(of: 0) == .hidden(.running))
        try machine.setBreakpoints([.init(behind)])
        try machine.complete(0, with: Devices().answer(access).data)
        let driven = DrivenMachine(machine)
        try driven.run()
        #expect(driven.end == "breakpoint")
        #expect(try Self.rip(machine) == behind)
    }

    @Test("two addresses of one byte have one INT3, and it goes when both do")
    func aliases() throws {
        let (machine, _) = try Self.launch { try SEVESMachine.twin($0, isTraced: false) }
        let rip = try Self.rip(machine) + 1
        let code = GuestPhysicalAddress(rip - Self.alias)
        let places = [GuestVirtualAddress(rip), GuestVirtualAddress(code.rawValue)]
        func inRAM() -> [UInt8]? { machine.base.read(code, count: 1, as: .private).value }
        for place in places {
            try machine.setBreakpoints(Set(places))
            try machine.setBreakpoints([place])
            #expect(inRAM() == [0xcc])
            #expect(machine.read(code, count: 1, as: .private).value == [0x90])
            try machine.setBreakpoints([])
            #expect(inRAM() == [0x90])
        }
    }

    @Test("where the stub alone reads private memory, they are not guessed at")
    func reported() throws {
        let (machine, _) = try Self.launch { try EmulatedMachine($0, visibility: .hardware) }
        let rip = try Self.rip(machine)
        #expect(rip > Self.alias)
        #expect(machine.translate(.init(rip), on: 0) == .hidden(.protected))
    }
}
