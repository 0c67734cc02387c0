import Testing

@testable import VCPUControl

/// Several vCPUs of KVM at the same time.
@Suite(
    "KVM machine on threads", .enabled(if: HostKVM.isThere, HostKVM.reason),
    .timeLimit(.minutes(2)))
struct KVMScheduleTests {
    private static func machine(
        _ code: [UInt8], vcpus: Int, _ interrupt: InterruptFlag = InterruptFlag()
    ) throws -> KVMMachine {
        let plan = EmulatedMachineTests.plan(
            Array(repeating: code, count: vcpus), cBit: try HostKVM.cBit.get())
        return try KVMMachine(plan, interrupt: interrupt, schedule: .threads)
    }

    private static func word(_ machine: KVMMachine, at address: UInt64) throws -> UInt64 {
        UInt64(
            littleEndian: try #require(
                machine.read(.init(address), count: 8, as: .private).value))
    }

    /// Counts to 20000: mov $20000, %ecx; 1: lock incq 0x20000; dec %ecx; jnz 1b; hlt.
    private static let counting: [UInt8] = [
        0xb9, 0x20, 0x4e, 0x00, 0x00, 0xf0, 0x48, 0xff, 0x04, 0x25, 0x00, 0x00, 0x02, 0x00,
        0xff, 0xc9, 0x75, 0xf3, 0xf4,
    ]

    @Test("locked instructions are indivisible, whoever executes them")
    func locked() throws {
        let machine = try Self.machine(Self.counting, vcpus: 3)
        var halted: [Int] = []
        while halted.count < 3 {
            let (vcpu, exit) = try machine.run(.all, limit: .max)
            try #require(exit == .halt)
            halted.append(vcpu)
        }
        #expect(Set(halted) == [0, 1, 2])
        #expect(try Self.word(machine, at: 0x20000) == 60_000)
        #expect((0..<3).map(machine.instructions) == [60_002, 60_002, 60_002])
        #expect(machine.stepsOfKVM > 60_000)
        #expect(try machine.run(.all, limit: .max).exit == .idle)
    }

    @Test("each vCPU stops at a breakpoint each time it comes there, and no time more")
    func breakpoints() throws {
        // mov $5, %ecx; 1: dec %ecx; jnz 1b; hlt
        let code: [UInt8] = [0xb9, 5, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xf4]
        let machine = try Self.machine(code, vcpus: 2)
        try machine.setBreakpoints([.init(0x10005), .init(0x11005)])
        var (stops, halts) = ([0, 0], 0)
        while halts < 2 {
            let (vcpu, exit) = try machine.run(.all, limit: .max)
            guard exit == .breakpoint else {
                try #require(exit == .halt)
                halts += 1
                continue
            }
            #expect(machine.registers(of: vcpu).value?[.rcx] == UInt64(5 - stops[vcpu]))
            stops[vcpu] += 1
        }
        #expect(stops == [5, 5])
    }

    @Test("a limit is for all vCPUs together, down to one instruction")
    func limits() throws {
        let machine = try Self.machine(EmulatedMachineTests.spin, vcpus: 2)
        for limit: UInt64 in [1, 1, 3, 10, 5001] {
            let before = machine.executed
            #expect(try machine.run(.all, limit: limit).exit == .limit)
            #expect(machine.executed - before == limit)
        }
        #expect(machine.instructions(of: 0) > 2000 && machine.instructions(of: 1) > 2000)
        #expect(try machine.run(.one(1), limit: 7).exit == .limit)
    }

    @Test("watched memory stops the vCPU that changes it")
    func watchpoint() throws {
        let machine = try Self.machine(Self.counting, vcpus: 2)
        try machine.setWatchpoints([WatchedBytes(.init(0x20000), count: 8)])
        for count: UInt64 in 1...3 {
            let (vcpu, exit) = try machine.run(.all, limit: .max)
            #expect(exit == .touched)
            #expect(try Self.word(machine, at: 0x20000) == count)
            #expect(machine.registers(of: vcpu).value.map { $0[.rip] & 0xfff } == 0xe)
        }
        try machine.setWatchpoints([])
        #expect(try machine.run(.all, limit: .max).exit == .halt)
    }

    @Test("a stop that is asked for comes while all run")
    func interruption() throws {
        let flag = InterruptFlag()
        let machine = try Self.machine(EmulatedMachineTests.spin, vcpus: 2, flag)
        let exit = try Watch.during(.milliseconds(30), raising: flag) {
            Result { () throws(MachineError) in try machine.run(.all, limit: .max).exit }
        }.get()
        #expect(exit == .interrupted && !flag.isRaised)
        #expect(machine.instructions(of: 0) > 0 && machine.instructions(of: 1) > 0)
    }
}

@Suite("sev-es on threads, on the twin", .timeLimit(.minutes(2)))
struct SEVESScheduleTests {
    /// vCPU 0 makes VMGEXITs for ever, vCPU 1 counts down from a million.
    private static let code: [UInt8] = [
        0x85, 0xff,  // test %edi, %edi
        0x75, 0x14,  // jnz 2f
        0xb9, 0x30, 0x01, 0x01, 0xc0,  // 1: mov $0xc0010130, %ecx
        0xb8, 0x02, 0x00, 0x00, 0x00,  // mov $2, %eax: SEV information
        0x31, 0xd2,  // xor %edx, %edx
        0x0f, 0x30,  // wrmsr
        0xf3, 0x0f, 0x01, 0xd9,  // rep vmmcall
        0xeb, 0xec,  // jmp 1b
        0xb9, 0x40, 0x42, 0x0f, 0x00,  // 2: mov $1000000, %ecx
        0xff, 0xc9,  // 3: dec %ecx
        0x75, 0xfc,  // jnz 3b
        0xf4,  // hlt
    ]

    private static func machine() throws -> SEVESMachine {
        var options = LaunchOptions(memory: 2 << 20)
        (options.vcpus, options.arguments) = (2, [.vcpuNumber])
        let plan = try LaunchPlan(GuestImage(flat: Self.code, name: "beside"), options)
        return try SEVESMachine.twin(plan, schedule: .threads, isTraced: true)
    }

    @Test("a vCPU gets on beside one that comes out all the time")
    func fairness() throws {
        let machine = try Self.machine()
        var exchanges = 0
        while true {
            let (vcpu, exit) = try machine.run(.all, limit: .max)
            if exit == .halt {
                #expect(vcpu == 1)
                break
            }
            guard case .vmgexit(let exchange) = exit else {
                Issue.record("\(exit)")
                break
            }
            #expect(vcpu == 0 && exchange.vcpu == 0)
            exchanges += 1
            try #require(exchanges < 1_000_000)
        }
        #expect(exchanges > 1)
    }

    @Test("a run of one vCPU reports what that one comes to, and nothing of the others")
    func one() throws {
        let machine = try Self.machine()
        _ = try machine.run(.all, limit: .max)
        #expect(try machine.run(.one(1), limit: 0).exit == .limit)
        let (vcpu, exit) = try machine.run(.one(1), limit: .max)
        #expect(vcpu == 1 && exit == .halt)
        let (other, second) = try machine.run(.all, limit: .max)
        guard case .vmgexit = second else {
            Issue.record("\(second)")
            return
        }
        #expect(other == 0)
    }
}
