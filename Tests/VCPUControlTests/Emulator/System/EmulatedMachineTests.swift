import Testing

@testable import VCPUControl

@Suite("EmulatedMachine")
struct EmulatedMachineTests {
    /// A plan of vCPUs at 0x10000, 0x11000, …, with private code and page tables of one 2 MiB page.
    static func plan(
        _ code: [[UInt8]], ghcb: UInt64? = nil, cBit position: Int = 51
    ) -> LaunchPlan {
        let cBit: UInt64 = 1 << UInt64(position)
        func page(_ address: UInt64, _ entry: UInt64) -> LaunchPlan.Region {
            .init(address: .init(address), bytes: SystemGuest.bytes(entry | cBit), isPrivate: true)
        }
        var regions = [page(0x1000, 0x2003), page(0x2000, 0x3003), page(0x3000, 0x83)]
        var vcpus: [LaunchPlan.VCPU] = []
        for (number, bytes) in code.enumerated() {
            let start = 0x10000 + UInt64(number) * 0x1000
            regions.append(.init(address: .init(start), bytes: bytes, isPrivate: true))
            var registers = RegisterFile()
            registers[.rip] = start
            registers[.rsp] = start + 0xff8
            registers[.rflags] = 2
            var system = SystemRegisters()
            (system.cr0, system.cr3, system.cr4) = (0x8001_0033, 0x1000 | cBit, 0x620)
            system.efer = 0xd00
            system.cs = Segment(selector: 8, attributes: 0xa9b)
            system.ss = Segment(selector: 16, attributes: 0xc93)
            vcpus.append(
                .init(registers: registers, system: system, ghcbMSR: ghcb, returnedAt: .init(0)))
        }
        regions.append(.init(address: .init(0x80000), bytes: [0xab], isPrivate: false))
        return LaunchPlan(ramSize: 1 << 20, regions: regions, vcpus: vcpus, cBit: position)
    }

    /// JMP to itself.
    static let spin: [UInt8] = [0xeb, 0xfe]
    /// NOP, HLT.
    static let halting: [UInt8] = [0x90, 0xf4]

    @Test("a step executes one instruction and shows the registers")
    func step() throws {
        let machine = try EmulatedMachine(Self.plan([Self.halting]))
        let (vcpu, exit) = try machine.run(.one(0), limit: 1)
        #expect(vcpu == 0 && exit == .limit)
        #expect(machine.registers(of: 0).value?[.rip] == 0x10001)
        #expect(machine.instructions(of: 0) == 1)
        #expect(try machine.run(.one(0), limit: 1).exit == .halt)
        #expect(machine.registers(of: 0).value?[.rip] == 0x10002)
        #expect(try machine.run(.one(0), limit: 1).exit == .idle)
        #expect(throws: MachineError.noSuchVCPU(1)) { try machine.run(.one(1), limit: 1) }
    }

    @Test("many short runs interleave as one long run does")
    func interleaving() throws {
        let plan = Self.plan([Self.spin, Self.spin, Self.halting])
        let long = try EmulatedMachine(plan)
        let short = try EmulatedMachine(plan)
        #expect(try long.run(.all, limit: 5000).exit == .halt)
        #expect(try long.run(.all, limit: 2500 + 1).exit == .limit)
        for _ in 0..<4503 { _ = try short.run(.all, limit: 1) }
        let counts = (0..<3).map(long.instructions)
        #expect(counts == [2501, 2000, 2])
        #expect((0..<3).map(short.instructions) == counts)
    }

    @Test("the interrupt flag stops a run and is taken")
    func interruption() throws {
        let flag = InterruptFlag()
        let machine = try EmulatedMachine(Self.plan([Self.spin]), interrupt: flag)
        flag.raise()
        #expect(try machine.run(.all, limit: .max).exit == .interrupted)
        #expect(!flag.isRaised)
        #expect(try machine.run(.all, limit: 10).exit == .limit)
    }

    @Test(
        "a breakpoint at a slice's end is not stepped over, nor is one that was reported hit twice")
    func breakpoints() throws {
        let loop: [UInt8] = [0x90, 0x90, 0xeb, 0xfc]
        let machine = try EmulatedMachine(Self.plan([loop, loop]))
        try machine.setBreakpoints([.init(0x10001), .init(0x11001)])
        var seen: [Int] = []
        for _ in 0..<6 {
            let (vcpu, exit) = try machine.run(.all, limit: 100_000)
            #expect(exit == .breakpoint)
            #expect(machine.registers(of: vcpu).value?[.rip] == (vcpu == 0 ? 0x10001 : 0x11001))
            seen.append(vcpu)
        }
        #expect(seen.allSatisfy { $0 == 0 })
        try machine.setBreakpoints([.init(0x11001)])
        #expect(try machine.run(.all, limit: 100_000) == (1, .breakpoint))
    }

    @Test("a look lets the guest get on, and hides no breakpoint that it ends at")
    func look() throws {
        let flag = InterruptFlag()
        let quantum = Scheduler.quantum
        let code = [UInt8](repeating: 0x90, count: Int(quantum) + 8)
        let machine = try EmulatedMachine(Self.plan([code]), interrupt: flag)
        let place = GuestVirtualAddress(0x10000 + quantum)
        try machine.setBreakpoints([place])
        flag.requestLook()
        #expect(try machine.run(.all, limit: .max).exit == .limit)
        #expect(machine.instructions(of: 0) == quantum)
        #expect(flag.takeLook())
        #expect(try machine.run(.all, limit: .max).exit == .breakpoint)
        #expect(machine.instructions(of: 0) == quantum)
        flag.requestLook()
        #expect(try machine.run(.all, limit: 4).exit == .limit)
        #expect(machine.instructions(of: 0) == quantum + 4)
    }

    @Test("VMGEXIT is answered, counts as one instruction and names its address")
    func vmgexit() throws {
        let code: [UInt8] = [0x90, 0xf3, 0x0f, 0x01, 0xd9, 0xf4]
        let machine = try EmulatedMachine(Self.plan([code], ghcb: 2))
        guard case .vmgexit(let exchange) = try machine.run(.all, limit: 100).exit else {
            Issue.record("no VMGEXIT")
            return
        }
        #expect(exchange.rip == .known(.init(0x10001), from: .direct))
        #expect(exchange.msr == 2)
        #expect(machine.systemRegisters(of: 0).value?.ghcb == machine.hypervisor.resetMSR)
        #expect(machine.instructions(of: 0) == 2)
        #expect(try machine.run(.all, limit: 100).exit == .halt)
    }

    @Test("without an IDT the first #VC ends the VM with a sentence")
    func shutdown() throws {
        let machine = try EmulatedMachine(Self.plan([[0x0f, 0xa2], Self.spin]))
        guard case .shutdown(let text) = try machine.run(.all, limit: 10).exit else {
            Issue.record("no shutdown")
            return
        }
        #expect(text.hasPrefix("#VC(0x72) at 0x10000, not delivered: IDT limit 0"))
        #expect(try machine.run(.all, limit: 10).exit == .idle)
    }

    @Test("private pages are scrambled in the shared view, the rest of RAM is private zero")
    func memory() throws {
        let machine = try EmulatedMachine(Self.plan([Self.halting]))
        let code = GuestPhysicalAddress(0x10000)
        #expect(machine.read(code, count: 2, as: .private).value == Self.halting)
        #expect(machine.read(code, count: 2, as: .shared).value != Self.halting)
        #expect(machine.read(.init(0x80000), count: 2, as: .shared).value == [0xab, 0])
        #expect(machine.read(.init(0x40000), count: 2, as: .private).value == [0, 0])
        #expect(machine.read(.init(0xfffff), count: 2, as: .private) == .hidden(.unmapped))
        #expect(machine.isPrivate(code).value == true)
        #expect(machine.isPrivate(.init(0x80000)).value == false)
        let place = machine.translate(.init(0x10_0234 - 0x10_0000), on: 0).value
        #expect(place == .some(.init(address: .init(0x234), isPrivate: true)))
        #expect(machine.translate(.init(0x40_0000), on: 0) == .known(nil, from: .direct))
        try machine.write([0x90], to: .init(0x10001), as: .private)
        _ = try machine.run(.one(0), limit: 2)
        #expect(machine.registers(of: 0).value?[.rip] == 0x10002)
    }

    @Test("with the visibility of hardware only shared memory can be seen")
    func hardware() throws {
        let machine = try EmulatedMachine(Self.plan([Self.halting]), visibility: .hardware)
        #expect(machine.registers(of: 0) == .hidden(.protected))
        #expect(machine.systemRegisters(of: 0) == .hidden(.protected))
        #expect(machine.translate(.init(0), on: 0) == .hidden(.protected))
        #expect(machine.read(.init(0x10000), count: 1, as: .asUsed) == .hidden(.protected))
        #expect(machine.read(.init(0x80000), count: 1, as: .asUsed).value == [0xab])
        #expect(throws: MachineError.self) { try machine.setRegister(.rax, of: 0, to: 1) }
        #expect(throws: MachineError.self) { try machine.setBreakpoints([.init(0x10000)]) }
        #expect(throws: MachineError.self) {
            try machine.write([0], to: .init(0x10000), as: .shared)
        }
        #expect(!machine.traits.steps && !machine.traits.presetsGHCB)
        #expect(throws: MachineError.self) {
            try EmulatedMachine(Self.plan([Self.halting], ghcb: 2), visibility: .hardware)
        }
    }

    @Test("a region outside RAM is refused")
    func badPlan() {
        var plan = Self.plan([Self.halting])
        plan.regions.append(.init(address: .init(0xfffff), bytes: [1, 2], isPrivate: true))
        #expect(throws: MachineError.noMemory(.init(0xfffff), count: 2)) {
            try EmulatedMachine(plan)
        }
    }
}
