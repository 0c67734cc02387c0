import Testing

@testable import VCPUControl

@Suite("Through the stub: what it says is true")
struct StubTruthTests {
    /// Instructions after which a guest that goes on for ever is not looked at any more.
    private static let limit = 4000

    private func arguments(_ name: String) -> [LaunchOptions.Argument] {
        name == "spin" ? [.value(100)] : []
    }

    @Test(
        "every register at every stop, every exit and the console are those of a direct run",
        arguments: BuiltInGuest.all.map(\.name), GHCBSetup.allCases)
    func guests(name: String, setup: GHCBSetup) throws {
        try compare(StubTwins(name, setup, arguments: arguments(name)))
    }

    @Test("so they are for guests with a fault", arguments: BuiltInGuest.bugs.map(\.name))
    func bugs(name: String) throws { try compare(StubTwins(name)) }

    @Test("instructions that move TF or hold its trap back are stepped like all others")
    func flags() throws {
        let program = GuestProgram { guest in
            guest.append(0x9c, 0x58, 0x50, 0x9d)  // pushfq; pop %rax; push %rax; popfq
            guest.append(0x8c, 0xd1, 0x8e, 0xd1, 0x90)  // mov %ss, %ecx; mov %ecx, %ss; nop
            guest.append(0x48, 0x89, 0xe2, 0x6a, 0x10, 0x52)  // mov %rsp, %rdx; push $0x10, %rdx
            guest.append(0x9c, 0x6a, 0x08)  // pushfq; push $8
            guest.append(0x48, 0x8d, 0x05, 3, 0, 0, 0, 0x50, 0x48, 0xcf)  // push 1f; iretq; 1:
            guest.append(0xb9, 0x81, 0, 0, 0xc0, 0x31, 0xc0, 0xba, 8, 0, 0, 0, 0x0f, 0x30)  // STAR
            guest.append(0xb9, 0x82, 0, 0, 0xc0, 0x48, 0x8d, 0x05, 0x1a, 0, 0, 0)  // LSTAR: 2f
            guest.append(0x48, 0x89, 0xc2, 0x48, 0xc1, 0xea, 0x20, 0x0f, 0x30)
            guest.append(0xb9, 0x84, 0, 0, 0xc0, 0xb8, 0, 0x77, 4, 0, 0x31, 0xd2, 0x0f, 0x30)
            guest.append(0x0f, 0x05, 0x90, 0x90)  // SFMASK with TF; syscall; nop; 2: nop
        }
        let steps = try compare(StubTwins(program.image, LaunchOptions()))
        #expect(steps > 40)
    }

    @Test(
        "an NMI at any moment brings the vCPU to the stub, and changes nothing",
        arguments: ["cpuid", "ioio", "mmio", "msr", "smp"], 0..<4)
    func interrupts(name: String, seed: Int) throws {
        var random = FuzzRandom(seed: UInt64(seed))
        let twins = try StubTwins(name, .trampoline)
        let handlers = try #require(twins.plan.debugStub).handlers
        var stops = 0
        while twins.stubbed.end == nil, stops < 3000 {
            try twins.stubbed.advance(limit: 1 + random.next() % 60)
            guard twins.stubbed.end == nil else { break }
            twins.machine.settle(0)
            guard let rip = twins.machine.registers(of: 0).value?[.rip] else { continue }
            #expect(!handlers.contains(rip))
            stops += 1
        }
        #expect(stops > 5)
        try twins.direct.run()
        #expect(twins.direct.end == twins.stubbed.end)
        compareTraces(twins)
    }

    @discardableResult
    private func compare(_ twins: StubTwins) throws -> Int {
        var steps = 0
        while twins.direct.end == nil, twins.stubbed.end == nil, steps < Self.limit {
            if let difference = twins.difference() {
                Issue.record("after \(steps) instructions \(difference)")
                return steps
            }
            guard try isSteppable(twins) else { return steps }
            try twins.direct.step()
            try twins.stubbed.step()
            steps += 1
        }
        #expect(twins.direct.end == twins.stubbed.end, "after \(steps) instructions")
        compareTraces(twins)
        return steps
    }

    /// Where a guest loads its own IDT, the stub says that it has no say any more.
    private func isSteppable(_ twins: StubTwins) throws -> Bool {
        guard let rip = twins.machine.registers(of: 0).value?[.rip],
            twins.plan.debugStub?.idtLoads.contains(.init(rip)) == true
        else { return true }
        let error = #expect(throws: MachineError.self) { try twins.stubbed.step() }
        guard case .refused(let text) = error else { return false }
        #expect(text.contains("load an IDT of the guest's own at \(rip.hex)"))
        try twins.stubbed.run()
        try twins.direct.run()
        compareTraces(twins)
        return false
    }

    private func compareTraces(_ twins: StubTwins) {
        let (direct, stubbed) = (twins.direct.exchanges, twins.stubbed.exchanges)
        #expect(direct.map(\.withoutPlace) == stubbed.map(\.withoutPlace))
        #expect(twins.direct.console == twins.stubbed.console)
        for (exchange, reported) in zip(direct, stubbed) where reported.rip.value != nil {
            // The VMGEXIT of the stub is another one when the host debugs through it.
            guard twins.plan.debugStub?.vmgexit != reported.rip.value else { continue }
            #expect(exchange.rip.value == reported.rip.value)
        }
    }

    @Test(
        "a run without stops has the exits and the console of a direct run",
        arguments: BuiltInGuest.all.map(\.name), GHCBSetup.allCases)
    func freeRun(name: String, setup: GHCBSetup) throws {
        let twins = try StubTwins(name, setup, arguments: arguments(name))
        try twins.direct.run()
        try twins.stubbed.run()
        #expect(twins.direct.end == twins.stubbed.end)
        compareTraces(twins)
    }
}
