import Testing
import VCPUControl

/// The three ways to a GHCB, up to the guest's entry.
@Suite("GHCB setups")
struct SetupTests {
    static let arguments: [UInt64] = [
        0x1111_2222_3333_4444, 0xffff_ffff_ffff_fff0, 0x8000_0000_0000_0001, 0xc001_0130, 5, .max,
    ]

    @Test("the six arguments arrive intact, and the GHCB is set", arguments: GHCBSetup.allCases)
    func arguments(setup: GHCBSetup) throws {
        let options = LaunchOptions(
            setup: setup, vcpus: 3, arguments: Self.arguments.map { .value($0) })
        let plan = try LaunchPlan(GuestImage.load("hello"), options)
        let machine = try EmulatedMachine(plan)
        for vcpu in 0..<3 {
            try runToEntry(of: vcpu, plan, machine)
            let registers = try #require(machine.registers(of: vcpu).value)
            #expect(Register.arguments.map { registers[$0] } == Self.arguments)
            #expect(registers[.rsp] % 16 == 8)
            #expect(try ghcb(of: vcpu, machine) & 0xfff == 0)
        }
    }

    @Test("the trampoline takes no more instructions than it has, the host none, the pool most")
    func cost() throws {
        let costs = try GHCBSetup.allCases.map { setup in
            let plan = try LaunchPlan(
                GuestImage.load("hello"), LaunchOptions(setup: setup))
            let machine = try EmulatedMachine(plan)
            try runToEntry(of: 0, plan, machine)
            return machine.instructions(of: 0)
        }
        // In the order pool, trampoline, host.
        #expect(costs[1] == 12)
        #expect(costs[2] == 0)
        #expect(costs[0] > costs[1])
    }

    @Test("pool: eight vCPUs contend, step by step, and no two ever hold one page")
    func contention() throws {
        var random = SeededGenerator(state: 8)
        for _ in 0..<20 {
            let plan = try LaunchPlan(
                GuestImage.load("hello"), LaunchOptions(setup: .pool, vcpus: 8))
            let machine = try EmulatedMachine(plan)
            var outside = Set(0..<8)
            while let vcpu = outside.randomElement(using: &random) {
                _ = try machine.run(.one(vcpu), limit: 1)
                let held = try (0..<8).map { try ghcb(of: $0, machine) }.filter { $0 & 0xfff == 0 }
                try #require(Set(held).count == held.count, "two vCPUs hold one of \(held)")
                let rip = machine.registers(of: vcpu).value?[.rip]
                if rip == plan.entry.rawValue { outside.remove(vcpu) }
            }
            #expect(try Set((0..<8).map { try ghcb(of: $0, machine) }).count == 8)
        }
    }

    @Test("pool: a page that was given back goes to the next vCPU")
    func handOver() throws {
        let run = try GuestRun(
            GuestImage.load("hello"), LaunchOptions(setup: .pool, vcpus: 8))
        #expect(run.end == "returned")
        #expect(run.exchanges.count == 8)
        #expect(Set(run.exchanges.compactMap(\.ghcb)).count < 8)
    }

    private func runToEntry(
        of vcpu: Int, _ plan: LaunchPlan, _ machine: EmulatedMachine
    ) throws {
        try machine.setBreakpoints([plan.entry])
        if machine.registers(of: vcpu).value?[.rip] == plan.entry.rawValue { return }
        #expect(try machine.run(.one(vcpu), limit: 1_000_000).exit == .breakpoint)
    }

    private func ghcb(of vcpu: Int, _ machine: EmulatedMachine) throws -> UInt64 {
        try #require(machine.systemRegisters(of: vcpu).value?.ghcb)
    }
}
