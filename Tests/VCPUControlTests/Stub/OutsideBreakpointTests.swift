import Testing

@testable import VCPUControl

@Suite("Through the stub: breakpoints that the firmware writes")
struct OutsideBreakpointTests {
    /// A guest over the twin of KVM, or over another machine that decrypts.
    private struct Launch {
        let plan: LaunchPlan
        let machine: StubbedMachine

        init(
            _ image: GuestImage,
            on make: (LaunchPlan) throws -> any Machine = {
                try SEVESMachine.twin($0, isTraced: false)
            }
        ) throws {
            var options = LaunchOptions(image.defaults)
            options.hasDebugStub = true
            plan = try LaunchPlan(image, options)
            machine = try StubbedMachine(make(plan), plan)
        }

        func symbol(_ name: String) throws -> UInt64 { try #require(plan.symbols[name]).rawValue }

        /// What RAM holds, INT3s and all.
        func inRAM(_ address: UInt64, count: Int = 1) -> [UInt8]? {
            machine.base.read(.init(address), count: count, as: .private).value
        }

        /// Steps to a port access: the address of its instruction, with the access left open.
        func stepToAccess() throws -> (start: UInt64, access: PortAccess) {
            for _ in 0..<2000 {
                let start = machine.registers(of: 0).value?[.rip]
                guard case (_, .io(let access)) = try machine.run(.one(0), limit: 1) else {
                    continue
                }
                return (try #require(start), access)
            }
            throw MachineError.refused("the guest does no access")
        }

        /// Answers an access, and ends the step that it is part of.
        func finishStep(_ access: PortAccess) throws {
            try machine.complete(0, with: Devices().answer(access).data)
            for _ in 0..<10 where machine.registers(of: 0).value == nil {
                _ = try machine.run(.one(0), limit: 1)
            }
        }

        /// Runs to what ends the guest or stops it.
        func run() throws -> String? {
            let driven = DrivenMachine(machine)
            try driven.run()
            return driven.end
        }
    }

    @Test("no vCPU need be in the stub to set one, nor to remove one")
    func outside() throws {
        let launch = try Launch(GuestImage.load("ioio"))
        guard case (_, .io(let access)) = try launch.machine.run(.all, limit: 1_000_000) else {
            Issue.record("no access")
            return
        }
        #expect(launch.machine.registers(of: 0) == .hidden(.running))
        let (place, never) = (try launch.symbol("by_instruction"), try launch.symbol("strings"))
        let before = try #require(launch.inRAM(place - 20, count: 41))
        try launch.machine.setBreakpoints([.init(place), .init(never)])
        let after = before[..<20] + [0xcc] + before[21...]
        #expect(launch.inRAM(place - 20, count: 41) == Array(after))
        #expect(launch.inRAM(never) == [0xcc])
        let seen = launch.machine.read(.init(place - 20), count: 41, as: .private)
        #expect(seen == .known(before, from: .decrypted))
        try launch.machine.setBreakpoints([.init(place)])
        #expect(launch.inRAM(never) != [0xcc])
        try launch.machine.complete(0, with: Devices().answer(access).data)
        #expect(try launch.run() == "breakpoint")
        #expect(launch.machine.registers(of: 0).value?[.rip] == place)
        try launch.machine.setBreakpoints([])
        #expect(launch.inRAM(place - 20, count: 41) == before)
        #expect(try launch.run() == "halt")
    }

    @Test("while a #VC is handled, its instruction stays as it is, and the next one gets its own")
    func underway() throws {
        let launch = try Launch(GuestImage.load("ioio"))
        try launch.machine.setBreakpoints([.init(try launch.symbol("by_instruction"))])
        #expect(try launch.run() == "breakpoint")
        let (start, access) = try launch.stepToAccess()
        #expect(launch.inRAM(start) == [0xee])
        try launch.machine.setBreakpoints([.init(start), .init(start + 1)])
        #expect(launch.inRAM(start, count: 2) == [0xee, 0xcc])
        try launch.finishStep(access)
        #expect(launch.machine.registers(of: 0).value?[.rip] == start + 1)
        #expect(launch.inRAM(start, count: 2) == [0xcc, 0xcc])
        try launch.machine.setBreakpoints([])
        #expect(launch.inRAM(start) == [0xee])
        #expect(try launch.run() == "halt")
    }

    @Test("the INT3 that ends a step stays while breakpoints come and go, and goes with the step")
    func landing() throws {
        let launch = try Launch(GuestImage.load("hello"))
        let (start, access) = try launch.stepToAccess()
        let landing = start + 4
        for wanted: Set<GuestVirtualAddress> in [[.init(landing + 1)], [.init(landing)], []] {
            try launch.machine.setBreakpoints(wanted)
            #expect(launch.inRAM(landing) == [0xcc])
        }
        try launch.finishStep(access)
        #expect(launch.machine.registers(of: 0).value?[.rip] == landing)
        #expect(launch.inRAM(landing) != [0xcc])
        #expect(try launch.run() == "halt")
    }

    @Test("what the guest writes over an INT3 stays when it is removed")
    func overwritten() throws {
        let program = GuestProgram { guest in
            guest.append(0xc6, 0x04, 0x25, 0x00, 0x00, 0x50, 0x00, 0x42)  // movb $0x42, 0x500000
        }
        let launch = try Launch(program.image)
        try launch.machine.setBreakpoints([.init(0x50_0000)])
        #expect(launch.inRAM(0x50_0000) == [0xcc])
        #expect(try launch.run() == "halt")
        try launch.machine.setBreakpoints([])
        #expect(launch.inRAM(0x50_0000) == [0x42])
    }

    @Test("where nothing is mapped, or no RAM is, none can be, and those there are stay")
    func refusals() throws {
        let launch = try Launch(GuestImage.load("hello"))
        let place = try launch.symbol("guest_code")
        try launch.machine.setBreakpoints([.init(place)])
        for (address, reason) in [(1 << 40, "do not map it"), (0xfe00_0000, "there is no RAM")] {
            let error = #expect(throws: MachineError.self) {
                try launch.machine.setBreakpoints([.init(place), .init(UInt64(address))])
            }
            #expect(error.map { $0.message.contains(reason) } == true)
        }
        #expect(try launch.run() == "breakpoint")
        #expect(launch.machine.registers(of: 0).value?[.rip] == place)
    }

    /// A vCPU that has executed an INT3, and has not told so yet.
    private func meeting() throws -> (launch: Launch, place: UInt64) {
        let launch = try Launch(GuestImage.load("hello")) { try EmulatedMachine($0) }
        let place = try launch.symbol("guest_code")
        let handler = try launch.symbol("sevdbg_bp_handler")
        try launch.machine.setBreakpoints([.init(place)])
        for _ in 0..<5000 where launch.machine.base.registers(of: 0).value?[.rip] != handler {
            _ = try launch.machine.run(.all, limit: 1)
        }
        #expect(launch.machine.base.registers(of: 0).value?[.rip] == handler)
        return (launch, place)
    }

    @Test(
        "a vCPU that meets one which is removed on its way to the stub goes on as if it never was")
    func removedMeanwhile() throws {
        let (launch, place) = try meeting()
        try launch.machine.setBreakpoints([])
        #expect(launch.inRAM(place) == [0x53])
        let driven = DrivenMachine(launch.machine)
        try driven.run()
        #expect(driven.end == "halt")
        #expect(driven.console == Array("hello from an SEV-ES guest\n".utf8))
    }

    @Test(
        "an NMI that comes on the way to the stub finds the vCPU at the breakpoint, not behind it")
    func interruptedMeanwhile() throws {
        let (launch, place) = try meeting()
        launch.machine.settle(0)
        #expect(launch.machine.registers(of: 0).value?[.rip] == place)
        #expect(try launch.run() == "breakpoint")
        #expect(launch.machine.registers(of: 0).value?[.rip] == place)
        try launch.machine.setBreakpoints([])
        #expect(try launch.run() == "halt")
    }
}
