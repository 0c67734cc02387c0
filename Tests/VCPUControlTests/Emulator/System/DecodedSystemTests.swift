import Testing

@testable import VCPUControl

@Suite("Decoded system instructions")
struct DecodedSystemTests {
    static func machine(_ code: [UInt8]) throws -> EmulatedMachine {
        var plan = EmulatedMachineTests.plan([code])
        let gdt: [UInt64] = [
            0, 0x00af_9a00_0000_ffff, 0x00cf_9200_0000_ffff, 0x00cf_f200_0000_ffff,
            0x00af_fa00_0000_ffff,
        ]
        plan.regions.append(
            .init(address: .init(0x6000), bytes: gdt.flatMap(SystemGuest.bytes), isPrivate: true))
        plan.vcpus[0].system.gdtr = DescriptorTable(base: 0x6000, limit: 0x27)
        return try EmulatedMachine(plan)
    }

    @Test("MOV CR, DR, segments, PUSH and POP FS, far branches run as decoded")
    func decoded() throws {
        let code: [UInt8] = [
            0x0f, 0x20, 0xc0,  // mov rax, cr0
            0x0f, 0x22, 0xc0,  // mov cr0, rax
            0x0f, 0x21, 0xf3,  // mov rbx, dr6
            0x44, 0x0f, 0x20, 0xc1,  // mov rcx, cr8
            0xba, 0x10, 0, 0, 0,  // mov edx, 0x10
            0x8e, 0xe2,  // mov fs, edx
            0x8c, 0xe6,  // mov esi, fs
            0x0f, 0xa0,  // push fs
            0x0f, 0xa9,  // pop gs
            0x66, 0x0f, 0xa0,  // push fs (16 bits)
            0x66, 0x0f, 0xa1,  // pop fs (16 bits)
            0x8c, 0xef,  // mov edi, gs
            0x6a, 0x08,  // push 8
            0x48, 0x8d, 0x05, 3, 0, 0, 0,  // lea rax, [rip + 3]
            0x50,  // push rax
            0x48, 0xcb,  // lretq
            0x90,  // nop
            0x0f, 0x01, 0xe5,  // smsw ebp
            0x0f, 0x31,  // rdtsc
            0x9c, 0x16, 0x90,
        ]
        let machine = try Self.machine(Array(code.dropLast(3)) + [0xf4])
        let result = try machine.run(.all, limit: 100)
        let registers = try #require(machine.registers(of: 0).value)
        #expect(result.exit == .halt)
        #expect(registers[.rbx] == 0xffff_0ff0)
        #expect(registers[.rcx] == 0)
        #expect(registers[.rsi] == 0x10 && registers[.rdi] == 0x10)
        #expect(registers[.rsp] == 0x10ff8)
        #expect(registers[.rbp] == 0x8001_0033)
        #expect(registers[.rax] == machine.instructions(of: 0) - 2)
    }

    @Test("IRETQ, SYSCALL, INT, IN and OUT, CPUID as decoded")
    func more() throws {
        var codes: [([UInt8], UInt64)] = [
            ([0x0f, 0xa2], 0x72), ([0xe4, 0x80], 0x7b), ([0xe6, 0x80], 0x7b), ([0xec], 0x7b),
            ([0xee], 0x7b), ([0x6c], 0x7b), ([0x6f], 0x7b), ([0x0f, 0x01, 0xd9], 0x81),
            ([0x0f, 0x09], 0x89), ([0x0f, 0x08], 0x76), ([0x0f, 0x33], 0x6f), ([0x0f, 0xaa], 0x73),
            ([0x0f, 0x01, 0xc8], 0x8a), ([0x0f, 0x01, 0xc9], 0x8b), ([0x0f, 0x01, 0xfd], 0x8e),
            ([0x0f, 0x32], 0x7c), ([0x0f, 0x30], 0x7c), ([0x0f, 0x21, 0xf8], 0x27),
            ([0x0f, 0x23, 0xf8], 0x37), ([0xf3, 0x0f, 0x09], 0x89), ([0xf1], 0x41),
        ]
        codes.append(([0x66, 0xed], 0x7b))
        for (bytes, code) in codes {
            let machine = try Self.machine([0xb9, 1, 0, 0, 0] + bytes)
            let exit = try machine.run(.all, limit: 10).exit
            guard case .shutdown(let text) = exit else {
                Issue.record("\(bytes): \(exit)")
                continue
            }
            #expect(text.hasPrefix("#VC(0x" + String(code, radix: 16) + ")"), "\(bytes) \(text)")
        }
        for bytes in [
            [0x0f, 0x34], [0x0f, 0x35], [0x66, 0x0f, 0x38, 0x82, 0], [0x0f, 0x01, 0xd8],
            [0x0f, 0x01, 0xc1], [0x0f, 0x05],
        ] as [[UInt8]] {
            let machine = try Self.machine(bytes)
            let exit = try machine.run(.all, limit: 10).exit
            guard case .shutdown(let text) = exit else {
                Issue.record("\(bytes): \(exit)")
                continue
            }
            #expect(text.hasPrefix("#UD"), "\(bytes) \(text)")
        }
    }

    @Test("a port access through the GHCB stops, is completed and ends as one VMGEXIT")
    func ports() throws {
        var plan = EmulatedMachineTests.plan([[0xf3, 0x0f, 0x01, 0xd9, 0xf4]], ghcb: 0x80000)
        var page = GHCBPage()
        page.set(.swExitCode, to: 0x7b)
        page.set(.swExitInfo1, to: 0x03f8_0011)
        page.set(.swExitInfo2, to: 0)
        page.set(.rax, to: 0x41)
        plan.regions[plan.regions.count - 1].bytes = page.bytes
        let machine = try EmulatedMachine(plan)
        let first = try machine.run(.all, limit: 10)
        #expect(
            first.exit
                == .io(PortAccess(port: 0x3f8, size: 1, count: 1, data: [], isInput: true)))
        #expect(throws: MachineError.self) { try machine.run(.all, limit: 10) }
        #expect(throws: MachineError.self) { try machine.complete(0, with: [1, 2]) }
        try machine.complete(0, with: [0x55])
        guard case .vmgexit(let exchange) = try machine.run(.all, limit: 10).exit else {
            Issue.record("no VMGEXIT")
            return
        }
        #expect(exchange.outcome == .ok)
        let place = GuestPhysicalAddress(0x80000 + 0x1f8)
        #expect(machine.read(place, count: 1, as: .shared).value == [0x55])
        #expect(try machine.run(.all, limit: 10).exit == .halt)
    }

    @Test("PUSH of a segment takes 8 bytes, or 2 with 66h")
    func pushWidth() throws {
        let machine = try Self.machine([0x0f, 0xa0, 0x66, 0x0f, 0xa0])
        _ = try machine.run(.all, limit: 1)
        #expect(machine.registers(of: 0).value?[.rsp] == 0x10ff0)
        _ = try machine.run(.all, limit: 1)
        #expect(machine.registers(of: 0).value?[.rsp] == 0x10fee)
    }

    @Test("a GHCB that the guest fills as private is scrambled for the hypervisor")
    func privateGHCB() throws {
        var plan = EmulatedMachineTests.plan([[0xf3, 0x0f, 0x01, 0xd9]], ghcb: 0x80000)
        var page = GHCBPage()
        page.set(.swExitCode, to: 0x72)
        plan.regions[plan.regions.count - 1].bytes = page.bytes
        plan.regions[plan.regions.count - 1].isPrivate = true
        let machine = try EmulatedMachine(plan)
        guard case .vmgexit(let exchange) = try machine.run(.all, limit: 10).exit,
            case .malformed = exchange.outcome
        else {
            Issue.record("no malformed VMGEXIT")
            return
        }
        #expect(machine.isPrivate(.init(0x80000)).value == true)
    }
}
