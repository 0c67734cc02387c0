import Foundation
import Testing

@testable import VCPUControl

/// What KVM executes at once.
@Suite("KVM, several instructions at once", .timeLimit(.minutes(5)))
struct StretchTests {
    /// The ways to stop that a KVM may have, each alone.
    static let ways: [StopWay] = [.halt, .hardwareBreakpoint]

    /// The ways of this host, without those that come before one; `nil` where that does not work.
    private static func only(_ way: StopWay) throws -> StopWays? {
        var ways = try StopWays.ofThisHost.get()
        guard ways.work(way) else { return nil }
        for other in Self.ways where other != way { ways.failures[other] = "not wanted" }
        return ways
    }

    private static func plan(_ code: [UInt8]) throws -> LaunchPlan {
        EmulatedMachineTests.plan(
            [code + EmulatedMachineTests.spin], cBit: try HostKVM.cBit.get())
    }

    @Test(
        "every guest does the same in long runs, whatever stops KVM: registers, exits and memory",
        .enabled(if: HostKVM.isThere, HostKVM.reason), arguments: ways,
        BuiltInGuest.all.map(\.name) + BuiltInGuest.bugs.map(\.name))
    func guests(way: StopWay, name: String) throws {
        guard let ways = try Self.only(way) else { return print("not here: \(way.name)") }
        let guest = try #require(BuiltInGuest[name])
        for (vcpus, stride) in [(1, 1000), (2, 7)] as [(Int, UInt64)] {
            var options = LaunchOptions(guest.defaults)
            options.vcpus = max(vcpus, options.vcpus)
            if name == "spin" { options.arguments = [.value(400)] }
            let plan = try HostKVM.plan(guest.image, options)
            let machine = try KVMMachine(plan, ways: ways)
            var lockstep = Lockstep(plan, try EmulatedMachine(plan), machine, stride: stride)
            let difference = try lockstep.run(limit: 50_000)
            #expect(difference == nil, "\(difference?.text ?? "")")
            #expect(machine.stepsOfKVM > 0)
        }
    }

    @Test(
        "where nothing stops KVM behind several instructions, it is stepped, and says so",
        .enabled(if: HostKVM.isThere, HostKVM.reason))
    func steps() throws {
        let ways = StopWays(failures: [.halt: "no exit", .hardwareBreakpoint: "no exit"])
        let machine = try KVMMachine(try Self.plan([0xff, 0xc1, 0xff, 0xc1]), ways: ways)
        #expect(try machine.run(.one(0), limit: 3).exit == .limit)
        #expect(machine.registers(of: 0).value?[.rcx] == 2 && machine.stepsOfKVM == 3)
        #expect(machine.traits.differences.contains { $0.contains("is stepped") })
    }

    /// The code's first stretch.
    private static func stretch(_ code: [UInt8], breakpoints: Set<UInt64> = []) throws -> Stretch? {
        // mov (%rsp), %al; mov %al, (%rsp): the TLB knows the stack's page.
        let touch: [UInt8] = [0x8a, 0x04, 0x24, 0x88, 0x04, 0x24]
        let machine = try EmulatedMachine(
            EmulatedMachineTests.plan([touch + code + EmulatedMachineTests.spin]))
        try machine.setBreakpoints(Set(breakpoints.map { .init(0x10006 + $0) }))
        try machine.setRegister(.rsp, of: 0, to: 0x20800)
        #expect(try machine.run(.one(0), limit: 2).exit == .limit)
        let end = 0x10006 + UInt64(code.count)
        while let place = machine.registers(of: 0).value?[.rip], place < end {
            guard let next = unsafe try machine.vcpus[0].decodeAhead() else { break }
            try machine.setRegister(.rip, of: 0, to: place + UInt64(next.length))
        }
        try machine.setRegister(.rip, of: 0, to: 0x10006)
        let first = unsafe try #require(try machine.vcpus[0].decodeAhead())
        #expect(unsafe machine.vcpus[0].isPlain(first))
        let stretch = unsafe machine.vcpus[0].stretch(from: first, limit: 100) { _ in false }
        #expect(machine.registers(of: 0).value?[.rip] == 0x10006)
        #expect(machine.registers(of: 0).value?[.rsp] == 0x20800)
        return stretch
    }

    @Test(
        "it ends before what KVM must not see, a branch, and an address that is not known yet",
        arguments: [
            // inc %ecx; inc %ecx; the branch behind them
            ([0xff, 0xc1, 0xff, 0xc1], 2),
            // inc %ecx; cpuid; inc %ecx
            ([0xff, 0xc1, 0x0f, 0xa2, 0xff, 0xc1], 1),
            // push %rax; push %rcx; pop %rcx; pop %rax: RSP is known all along
            ([0x50, 0x51, 0x59, 0x58], 4),
            // mov %rsp, %rsi; mov (%rsi), %eax
            ([0x48, 0x89, 0xe6, 0x8b, 0x06], 1),
            // lea (%rsp), %rsp; mov (%rsp), %eax
            ([0x48, 0x8d, 0x24, 0x24, 0x8b, 0x04, 0x24], 1),
            // mov (%rsp), %eax; lea 4(%rax), %rcx; inc %ecx: an address that nothing is read from
            ([0x8b, 0x04, 0x24, 0x48, 0x8d, 0x48, 0x04, 0xff, 0xc1], 3),
        ] as [([UInt8], UInt64)])
    func ends(code: [UInt8], count: UInt64) throws {
        #expect(try Self.stretch(code)?.count == count)
    }

    @Test("it ends before a breakpoint, but not at its own start")
    func breakpoint() throws {
        let code: [UInt8] = [0xff, 0xc1, 0xff, 0xc1, 0xff, 0xc1]
        #expect(try Self.stretch(code, breakpoints: [4])?.count == 2)
        #expect(try Self.stretch(code, breakpoints: [0])?.count == 3)
    }

    @Test(
        "code that reads itself sees its own bytes, not what stops KVM behind it",
        .enabled(if: HostKVM.isThere, HostKVM.reason))
    func reading() throws {
        // mov (%rip), %rax: its own next bytes; then inc %ecx, four times
        let code: [UInt8] = [
            0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xff, 0xc1, 0xff, 0xc1, 0xff, 0xc1, 0xff, 0xc1,
        ]
        // The first round lets the TLB know the page.
        let loop = code + [0xeb, UInt8(truncatingIfNeeded: -code.count - 2)]
        let machine = try KVMMachine(try Self.plan(loop))
        #expect(try machine.run(.one(0), limit: 60).exit == .limit)
        #expect(machine.registers(of: 0).value?[.rax] == 0xc1ff_c1ff_c1ff_c1ff)
        #expect(machine.registers(of: 0).value?[.rcx] == 40)
    }

    @Test(
        "a guest that changes the code ahead of it executes what it has written",
        .enabled(if: HostKVM.isThere, HostKVM.reason))
    func selfModifying() throws {
        // movb $0xc2, 4(%rip): the INC that is three bytes behind becomes inc %edx
        let code: [UInt8] = [
            0xc6, 0x05, 0x03, 0, 0, 0, 0xc2, 0x90, 0x90, 0xff, 0xc1, 0xff, 0xc3,
        ]
        let machine = try KVMMachine(try Self.plan(code))
        #expect(try machine.run(.one(0), limit: 5).exit == .limit)
        let registers = try #require(machine.registers(of: 0).value)
        #expect(registers[.rcx] == 0 && registers[.rdx] == 1 && registers[.rbx] == 1)
    }

    @Test(
        "interruptions in the middle lose no instruction and repeat none",
        .enabled(if: HostKVM.isThere, HostKVM.reason))
    func interruptions() throws {
        // add $1, %rax, two hundred times; jmp back
        var code = [[UInt8]](repeating: [0x48, 0x83, 0xc0, 0x01], count: 200).flatMap { $0 }
        code += [0xe9] + UInt64(bitPattern: -805).littleEndianBytes(4)
        let flag = InterruptFlag()
        let machine = try KVMMachine(try Self.plan(code), interrupt: flag)
        let (goal, isOver) = (UInt64(50_000), InterruptFlag())
        Thread.detachNewThread {
            while !isOver.isRaised {
                flag.raise()
                usleep(50)
            }
        }
        defer { isOver.raise() }
        var interruptions = 0
        while case let done = machine.instructions(of: 0), done < goal {
            if try machine.run(.one(0), limit: goal - done).exit == .interrupted {
                interruptions += 1
            }
        }
        #expect(machine.instructions(of: 0) == goal && interruptions > 0)
        #expect(machine.registers(of: 0).value?[.rax] == goal / 201 * 200 + goal % 201)
    }

    @Test("an instruction changes no register but those that are said, and RSP as is said")
    func changes() throws {
        var generator = FuzzGenerator(seed: 7)
        var executed = 0
        for number in 0..<30_000 as Range<UInt64> {
            guard let fuzz = generator.make(number), !fuzz.isBranch,
                let (before, after, instruction) = try Self.execute(fuzz.bytes, number)
            else { continue }
            executed += 1
            for register in Register.allCases where register.rawValue < 16 {
                var expected = before[register]
                if register == .rsp { expected &+= instruction.stackMovement }
                let mayChange = instruction.changed.contains(.operand(register.rawValue))
                #expect(
                    after[register] == expected || mayChange, "\(fuzz.name): \(register.name)")
            }
        }
        #expect(executed > 1000)
    }

    /// Executes an instruction that KVM could execute; its registers, all of which may be addresses.
    private static func execute(
        _ bytes: [UInt8], _ number: UInt64
    ) throws -> (RegisterFile, RegisterFile, Instruction)? {
        let touch: [UInt8] = [0x8a, 0x03, 0x88, 0x03]  // mov (%rbx), %al; mov %al, (%rbx)
        let machine = try EmulatedMachine(EmulatedMachineTests.plan([touch + bytes]))
        try machine.setRegister(.rbx, of: 0, to: 0x20800)
        guard try machine.run(.one(0), limit: 2).exit == .limit else { return nil }
        for register in Register.allCases where register.rawValue < 16 {
            let value = 0x20100 + UInt64(register.rawValue) * 0x70
            try machine.setRegister(register, of: 0, to: value)
        }
        guard let next = unsafe try? machine.vcpus[0].decodeAhead(),
            unsafe machine.vcpus[0].isPlain(next), let before = machine.registers(of: 0).value,
            try machine.run(.one(0), limit: 1).exit == .limit,
            let after = machine.registers(of: 0).value
        else { return nil }
        return (before, after, next)
    }
}
