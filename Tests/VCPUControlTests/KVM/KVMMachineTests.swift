import Foundation
import SystemPackage
import Testing

@testable import VCPUControl

/// What goes wrong on some KVM when it is stepped carelessly, each once.
@Suite(
    "KVM machine", .enabled(if: HostKVM.isThere, HostKVM.reason), .timeLimit(.minutes(2)))
struct KVMMachineTests {
    private static func plan(_ code: [[UInt8]]) throws -> LaunchPlan {
        EmulatedMachineTests.plan(code, cBit: try HostKVM.cBit.get())
    }

    /// The registers after so many instructions.
    private static func registers(after count: UInt64, _ code: [UInt8]) throws -> RegisterFile {
        let machine = try KVMMachine(try plan([code]))
        #expect(try machine.run(.one(0), limit: count).exit == .limit)
        return try #require(machine.registers(of: 0).value)
    }

    @Test("a step executes one instruction, on KVM where it is a plain one")
    func step() throws {
        // endbr64 (PVM does not stop behind it); inc %ecx; lea 1(%rcx), %rcx; hlt
        let code: [UInt8] = [0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0xc1, 0x48, 0x8d, 0x49, 0x01, 0xf4]
        let machine = try KVMMachine(try Self.plan([code]))
        let steps: [(UInt64, UInt64)] = [(0x10004, 0), (0x10006, 1), (0x1000a, 2)]
        for (place, count) in steps {
            #expect(try machine.run(.one(0), limit: 1).exit == .limit)
            #expect(machine.registers(of: 0).value?[.rip] == place)
            #expect(machine.stepsOfKVM == count)
        }
        #expect(machine.registers(of: 0).value?[.rcx] == 2)
    }

    @Test("HLT halts once and leaves nothing behind")
    func halt() throws {
        let machine = try KVMMachine(try Self.plan([EmulatedMachineTests.halting]))
        #expect(try machine.run(.one(0), limit: 100).exit == .halt)
        #expect(machine.registers(of: 0).value?[.rip] == 0x10002)
        #expect(try machine.run(.one(0), limit: 1).exit == .idle)
    }

    @Test("the guest does not see the TF that steps it: PUSHF, and POPF does not end stepping")
    func trapFlag() throws {
        // pushf; pop %rax; pushf; popf; nop; nop
        let code: [UInt8] = [0x9c, 0x58, 0x9c, 0x9d, 0x90, 0x90]
        let registers = try Self.registers(after: 6, code + EmulatedMachineTests.spin)
        #expect(registers[.rax] & 0x100 == 0 && registers[.rflags] & 0x100 == 0)
        #expect(registers[.rip] == 0x10006)
    }

    @Test("IRETQ is one step")
    func interruptReturn() throws {
        // mov %rsp, %rax; push $16; push %rax; pushf; push $8; lea 3(%rip), %rcx; push %rcx; iretq; nop
        let code: [UInt8] = [
            0x48, 0x89, 0xe0, 0x6a, 0x10, 0x50, 0x9c, 0x6a, 0x08,
            0x48, 0x8d, 0x0d, 0x03, 0x00, 0x00, 0x00, 0x51, 0x48, 0xcf, 0x90,
        ]
        var plan = try Self.plan([code + EmulatedMachineTests.spin])
        // A GDT for the segments that IRETQ loads: kernel code at 8, kernel data at 16.
        let gdt: [UInt64] = [0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff]
        plan.regions.append(
            .init(
                address: .init(0x4000), bytes: gdt.flatMap { $0.littleEndianBytes(8) },
                isPrivate: true))
        plan.vcpus[0].system.gdtr = DescriptorTable(base: 0x4000, limit: 0x17)
        let machine = try KVMMachine(plan)
        #expect(try machine.run(.one(0), limit: 9).exit == .limit)
        #expect(machine.registers(of: 0).value?[.rip] == 0x10014)
    }

    @Test("a breakpoint stops before its instruction, and does not fire again where it stood")
    func breakpoint() throws {
        let loop: [UInt8] = [0x90, 0x90, 0xeb, 0xfc]
        let machine = try KVMMachine(try Self.plan([loop]))
        try machine.setBreakpoints([.init(0x10001)])
        for round in 0..<3 as Range<UInt64> {
            #expect(try machine.run(.all, limit: 1000).exit == .breakpoint)
            #expect(machine.registers(of: 0).value?[.rip] == 0x10001)
            #expect(machine.instructions(of: 0) == 1 + 3 * round)
        }
        try machine.setBreakpoints([])
        #expect(try machine.run(.all, limit: 30).exit == .limit)
    }

    @Test("a step at CPL 3 does not come out in the guest's #DB handler")
    func userMode() throws {
        // inc %ecx; inc %ecx
        var plan = try Self.plan([[0xff, 0xc1, 0xff, 0xc1] + EmulatedMachineTests.spin])
        plan.vcpus[0].system.cs = Segment(selector: 0x2b, attributes: 0xafb)
        plan.vcpus[0].system.ss = Segment(selector: 0x23, attributes: 0xcf3)
        // All three levels of the tables let the user in.
        for index in plan.regions.indices where plan.regions[index].address.rawValue < 0x4000 {
            plan.regions[index].bytes[0] |= 4
        }
        let machine = try KVMMachine(plan)
        #expect(try machine.run(.one(0), limit: 2).exit == .limit)
        let registers = try #require(machine.registers(of: 0).value)
        #expect(registers[.rcx] == 2 && registers[.rip] == 0x10004)
    }

    @Test("VMGEXIT does not reach KVM, and its bytes stay what they are")
    func vmgexit() throws {
        let code: [UInt8] = [0x90, 0xf3, 0x0f, 0x01, 0xd9, 0xf4]
        let machine = try KVMMachine(try Self.plan([code]))
        guard case .vmgexit = try machine.run(.all, limit: 100).exit else {
            Issue.record("no VMGEXIT")
            return
        }
        let bytes = machine.read(.init(0x10000), count: 6, as: .private)
        #expect(bytes == .known(code, from: .direct))
    }

    @Test("registers and memory that are set from outside are what KVM goes on with")
    func changes() throws {
        // add %rax, %rcx; mov (%rbx), %rdx, twice: the first makes the page known
        let code: [UInt8] = [0x48, 0x01, 0xc1, 0x48, 0x8b, 0x13, 0x48, 0x8b, 0x13]
        let machine = try KVMMachine(try Self.plan([code + EmulatedMachineTests.spin]))
        try machine.setRegister(.rax, of: 0, to: 5)
        try machine.setRegister(.rcx, of: 0, to: 0xffff_ffff_ffff_ffff)
        try machine.setRegister(.rbx, of: 0, to: 0x20000)
        #expect(try machine.run(.one(0), limit: 2).exit == .limit)
        try machine.write([7], to: .init(0x20000), as: .private)
        #expect(try machine.run(.one(0), limit: 1).exit == .limit)
        let registers = try #require(machine.registers(of: 0).value)
        #expect(registers[.rcx] == 4 && registers[.rdx] == 7 && registers[.rflags] & 1 == 1)
        #expect(machine.stepsOfKVM == 2)
    }

    @Test("a changed translation is KVM's too, as soon as INVLPG says so")
    func translations() throws {
        // mov (%rbx), %rax; mov (%rbx), %rax; mov %rdx, (%rcx); invlpg (%rbx); and the loads again
        let load: [UInt8] = [0x48, 0x8b, 0x03]
        let code = load + load + [0x48, 0x89, 0x11, 0x0f, 0x01, 0x3b] + load + load
        var plan = try Self.plan([code + EmulatedMachineTests.spin])
        let cBit: UInt64 = 1 << UInt64(try HostKVM.cBit.get())
        func add(_ address: UInt64, _ value: UInt64) {
            plan.regions.append(
                .init(address: .init(address), bytes: value.littleEndianBytes(8), isPrivate: true))
        }
        // A table for the second 2 MiB: its first page is 0x20000, then 0x30000.
        add(0x3008, 0x5003 | cBit)
        add(0x5000, 0x20003 | cBit)
        add(0x20000, 1)
        add(0x30000, 2)
        plan.vcpus[0].registers[.rbx] = 0x20_0000
        plan.vcpus[0].registers[.rcx] = 0x5000
        plan.vcpus[0].registers[.rdx] = 0x30003 | cBit
        let machine = try KVMMachine(plan)
        #expect(try machine.run(.one(0), limit: 2).exit == .limit)
        #expect(machine.registers(of: 0).value?[.rax] == 1)
        #expect(try machine.run(.one(0), limit: 4).exit == .limit)
        #expect(machine.registers(of: 0).value?[.rax] == 2)
        #expect(machine.stepsOfKVM >= 2)
    }

    @Test("the SSE registers are one, whoever executes")
    func vectors() throws {
        // movq %rax, %xmm1; movaps %xmm1, (%rbx); movaps (%rbx), %xmm2; paddq %xmm1, %xmm2; movq %xmm2, %rcx
        let code: [UInt8] = [
            0x66, 0x48, 0x0f, 0x6e, 0xc8, 0x0f, 0x29, 0x0b, 0x0f, 0x28, 0x13,
            0x66, 0x0f, 0xd4, 0xd1, 0x66, 0x48, 0x0f, 0x7e, 0xd1,
        ]
        let machine = try KVMMachine(try Self.plan([code + EmulatedMachineTests.spin]))
        try machine.setRegister(.rax, of: 0, to: 0x1234_5678_9abc_def0)
        try machine.setRegister(.rbx, of: 0, to: 0x20000)
        #expect(try machine.run(.one(0), limit: 5).exit == .limit)
        #expect(machine.registers(of: 0).value?[.rcx] == 0x2468_acf1_3579_bde0)
    }

    @Test("two vCPUs take turns in one memory, and none of their additions is lost")
    func twoVCPUs() throws {
        // lock incl (%rbx); dec %ecx; jnz; hlt
        let code: [UInt8] = [0xf0, 0xff, 0x03, 0xff, 0xc9, 0x75, 0xf9, 0xf4]
        var plan = try Self.plan([code, code])
        for vcpu in plan.vcpus.indices {
            plan.vcpus[vcpu].registers[.rbx] = 0x20000
            plan.vcpus[vcpu].registers[.rcx] = 700
        }
        let machine = try KVMMachine(plan)
        var exits: [VCPUExit] = []
        while exits.last != .idle { exits.append(try machine.run(.all, limit: 100_000).exit) }
        #expect(exits == [.halt, .halt, .idle])
        let sum = machine.read(.init(0x20000), count: 4, as: .private)
        #expect(sum == .known(UInt64(1400).littleEndianBytes(4), from: .direct))
    }

    @Test("an interruption from another thread ends a run that would not end")
    func interruption() throws {
        let flag = InterruptFlag()
        let machine = try KVMMachine(
            try Self.plan([EmulatedMachineTests.spin]), interrupt: flag)
        Thread.detachNewThread { flag.raise() }
        #expect(try machine.run(.all, limit: .max).exit == .interrupted)
        #expect(try machine.run(.all, limit: 10).exit == .limit)
    }
}

/// What the kernel refuses, without a kernel.
@Suite("KVM machine, calls that fail")
struct KVMFailureTests {
    /// A KVM that is able to do all that is asked, and executes nothing.
    private static func double() -> KVMDouble {
        let syscalls = KVMDouble()
        syscalls.values["KVM_CHECK_EXTENSION"] = 7
        return syscalls
    }

    @Test("a call that fails at launch is named, and nothing stays open")
    func launch() throws {
        let plan = EmulatedMachineTests.plan([EmulatedMachineTests.spin])
        let names = [
            "open", "mmap", "KVM_CHECK_EXTENSION", "KVM_GET_SUPPORTED_CPUID", "KVM_CREATE_VM",
            "KVM_GET_VCPU_MMAP_SIZE", "KVM_SET_USER_MEMORY_REGION", "KVM_CREATE_VCPU",
            "KVM_SET_CPUID2", "KVM_GET_SREGS", "KVM_SET_GUEST_DEBUG",
        ]
        for name in names {
            let syscalls = Self.double()
            syscalls.failures[name] = .ioError
            let error = #expect(throws: MachineError.self) {
                try KVMMachine(plan, on: syscalls, ways: StopWays())
            }
            #expect(error?.message.hasPrefix("\(name) on ") ?? false, "\(name)")
            #expect(error?.message.contains("EIO") ?? false, "\(name)")
            #expect(syscalls.openDescriptors.isEmpty && syscalls.mappings == 0, "\(name)")
        }
    }

    @Test("a KVM that cannot do what is needed is refused in words")
    func abilities() {
        let syscalls = Self.double()
        syscalls.values["KVM_CHECK_EXTENSION"] = 0
        let plan = EmulatedMachineTests.plan([EmulatedMachineTests.spin])
        let error = #expect(throws: MachineError.self) {
            try KVMMachine(plan, on: syscalls, ways: StopWays())
        }
        #expect(error?.message.contains("KVM_CAP_SYNC_REGS") ?? false)
        let steps = #expect(throws: MachineError.self) {
            try KVMMachine(
                plan, on: Self.double(), ways: StopWays(failures: [.singleStep: "no exit"]))
        }
        #expect(steps?.message.contains("single step: no exit") ?? false)
    }

    @Test("a call that fails while the guest runs ends the VM in words; so does an unknown exit")
    func run() throws {
        let plan = EmulatedMachineTests.plan([EmulatedMachineTests.spin])
        for name in ["KVM_RUN", "KVM_SET_SREGS"] {
            let syscalls = Self.double()
            let machine = try KVMMachine(plan, on: syscalls, ways: StopWays())
            syscalls.failures[name] = .ioError
            guard case .shutdown(let text) = try machine.run(.all, limit: 1).exit else {
                Issue.record("the VM goes on without \(name)")
                continue
            }
            #expect(text.hasPrefix("\(name) on vCPU 0 fails with EIO"))
        }
        // A kvm_run of zeros is KVM_EXIT_UNKNOWN.
        let machine = try KVMMachine(plan, on: Self.double(), ways: StopWays())
        guard case .shutdown(let text) = try machine.run(.all, limit: 1).exit else {
            Issue.record("the VM goes on")
            return
        }
        #expect(text.contains("0x10000") && text.contains("unknown(0)"))
    }

    @Test("a step that only signals end is given up, and an interruption ends it at once")
    func endless() throws {
        let plan = EmulatedMachineTests.plan([EmulatedMachineTests.spin])
        let flag = InterruptFlag()
        let syscalls = Self.double()
        let machine = try KVMMachine(plan, interrupt: flag, on: syscalls, ways: StopWays())
        syscalls.failures["KVM_RUN"] = .interrupted
        guard case .shutdown(let text) = try machine.run(.all, limit: 1).exit else {
            Issue.record("the step has ended")
            return
        }
        #expect(text.contains("does not come to an end") && text.contains("0x10000"))
        // TF has to be set anew behind each signal.
        let calls = syscalls.calls.map(\.name)
        #expect(calls.filter { $0 == "KVM_SET_GUEST_DEBUG" }.count == 21)
        #expect(calls.filter { $0 == "KVM_RUN" }.count == 20)
    }
}
