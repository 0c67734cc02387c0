import Testing

@testable import VCPUControl

@Suite("Memory operands and the stack")
struct MemoryOperandTests {
    private let data = BareVCPU.data
    private let stack = BareVCPU.stack

    @Test("a read-modify-write demands permission to write, and changes nothing without it")
    func readOnly() throws {
        var bare = try BareVCPU([0x48, 0x83, 0x16, 1])  // adc qword [rsi], 1
        bare.map(data, permissions: 1)
        bare.status = status("cz")
        #expect(bare.execute() == .pageFault(data, 3))
        #expect(bare.status == status("cz"))
        #expect(bare.vcpu.rip == BareVCPU.code)
        #expect(bare.vcpu.retired == 0)
    }

    @Test("arithmetic on memory writes the result and the flags")
    func modify() throws {
        // adc qword [rsi], 1; neg byte [rsi]
        var bare = try BareVCPU([0x48, 0x83, 0x16, 1, 0xf6, 0x1e])
        bare.write(data, UInt64.max)
        bare.execute()
        #expect(bare.read(data, UInt64.self) == 0)
        #expect(bare.status == status("cpaz"))
        bare.write(data, UInt64(1))
        bare.execute()
        #expect(bare.read(data, UInt64.self) == 0xff)
        #expect(bare.status == status("cpas"))
    }

    @Test("bit offsets in a register reach beyond the operand, to both sides")
    func farBits() throws {
        var bare = try BareVCPU([0x48, 0x0f, 0xab, 0x06])  // bts [rsi], rax
        bare[.rsi] = data + 0x100
        bare[.rax] = UInt64(bitPattern: -65)
        bare.execute()
        #expect(bare.read(data + 0x100 - 16, UInt64.self) == 1 << 63)
        #expect(bare.status & 1 == 0)
    }

    @Test("addresses: FS base, 32-bit wrap, RIP-relative, and a non-canonical one")
    func addresses() throws {
        var bare = try BareVCPU([
            0x64, 0x8b, 0x43, 8,  // mov eax, fs:[rbx+8]
            0x67, 0x8b, 0x4b, 0xfc,  // mov ecx, [ebx-4]
            0x8b, 0x15, 0xf4, 0xff, 0xff, 0xff,  // mov edx, [rip-12]
            0x8b, 0x06,  // mov eax, [rsi]
        ])
        bare.vcpu.system.fs.base = data
        bare.write(data + 0x18, UInt32(0x1234_5678))
        bare.write(data, UInt32(0x9abc_def0))
        bare[.rbx] = 0x10
        bare.execute()
        #expect(bare[.rax] == 0x1234_5678)
        bare[.rbx] = 0xffff_ffff_0001_0004
        bare.execute(2)
        #expect(bare[.rcx] == 0x9abc_def0)
        #expect(bare[.rdx] == 0x8b67_0843)
        bare[.rsi] = 1 << 47
        #expect(bare.execute() == .generalProtection())
        bare[.rsi] = (1 << 47) - 2
        #expect(bare.execute() == .generalProtection())
    }

    @Test("a 32-bit address without a base has none, whatever REX.B says")
    func noBase() throws {
        // mov rsi, [r8d*8 + 0x10000]
        var bare = try BareVCPU([0x67, 0x4b, 0x8b, 0x34, 0xc5, 0, 0, 1, 0])
        bare[.r8] = 1
        bare[.r13] = 0x5000
        bare.write(data + 8, UInt64(42))
        bare.execute()
        #expect(bare[.rsi] == 42)
    }

    @Test("CMPXCHG writes memory in any case")
    func compareExchangeReadOnly() throws {
        var bare = try BareVCPU([0x0f, 0xb1, 0x0e])  // cmpxchg [rsi], ecx
        bare[.rax] = 1
        bare.map(data, permissions: 1)
        #expect(bare.execute() == .pageFault(data, 3))
        bare.map(data, permissions: 3)
        bare.execute()
        #expect(bare[.rax] == 0)
        #expect(bare.status & status("z") == 0)
    }

    @Test("CMPXCHG16B demands alignment; ZF alone changes")
    func compareExchange16() throws {
        var bare = try BareVCPU([0x48, 0x0f, 0xc7, 0x0e])  // cmpxchg16b [rsi]
        bare[.rsi] = data + 8
        #expect(bare.execute() == .generalProtection())
        bare[.rsi] = data
        bare.write(data, UInt64(5))
        bare.write(data + 8, UInt64(6))
        (bare[.rax], bare[.rdx], bare[.rbx], bare[.rcx]) = (5, 6, 7, 8)
        bare.status = status("cpaso")
        bare.execute()
        #expect(bare.read(data, UInt64.self) == 7)
        #expect(bare.read(data + 8, UInt64.self) == 8)
        #expect(bare.status == status("cpazso"))
    }

    @Test("PUSH RSP stores the old value; POP to [RSP+8] counts with the new")
    func stackPointer() throws {
        // push rsp; pop [rsp+8]; pop rsp
        var bare = try BareVCPU([0x54, 0x8f, 0x44, 0x24, 8, 0x5c])
        bare.execute()
        #expect(bare.read(stack - 8, UInt64.self) == stack)
        bare.execute()
        #expect(bare.read(stack + 8, UInt64.self) == stack)
        #expect(bare[.rsp] == stack)
        bare.write(stack, UInt64(0x7777))
        bare.execute()
        #expect(bare[.rsp] == 0x7777)
    }

    @Test("a POP to memory that faults leaves RSP; one of the stack is #SS where not canonical")
    func popFaults() throws {
        var bare = try BareVCPU([0x8f, 0x06, 0x58])  // pop [rsi]; pop rax
        bare.map(data, permissions: 0)
        #expect(bare.execute() == .pageFault(data, 2))
        #expect(bare[.rsp] == stack)
        bare.vcpu.rip += 2
        bare[.rsp] = 1 << 63
        #expect(bare.execute() == .stack())
    }

    @Test("ENTER with nesting copies frame pointers, LEAVE undoes it")
    func frames() throws {
        var bare = try BareVCPU([0xc8, 0x10, 0, 3, 0xc9])  // enter 16, 3; leave
        bare[.rbp] = stack + 0x100
        bare.write(stack + 0xf8, UInt64(0x11))
        bare.write(stack + 0xf0, UInt64(0x22))
        bare.execute()
        #expect(bare[.rbp] == stack - 8)
        #expect(bare[.rsp] == stack - 32 - 16)
        #expect(bare.read(stack - 8, UInt64.self) == stack + 0x100)
        #expect(bare.read(stack - 16, UInt64.self) == 0x11)
        #expect(bare.read(stack - 24, UInt64.self) == 0x22)
        #expect(bare.read(stack - 32, UInt64.self) == stack - 8)
        bare.execute()
        #expect(bare[.rbp] == stack + 0x100)
        #expect(bare[.rsp] == stack)
    }

    @Test("POPF changes IOPL and IF only with privilege, and never VM or VIP")
    func popFlags() throws {
        var bare = try BareVCPU([0x9d])
        bare.write(stack, ~UInt64(0x100))
        bare.execute()
        #expect(bare.vcpu.flags.value == 0x24_7ed7)
        bare = try BareVCPU([0x9d])
        bare.vcpu.flags.value = 0x202
        bare.vcpu.system.ss.attributes |= 3 << 5
        bare.write(stack, UInt64(0x3000))
        bare.execute()
        #expect(bare.vcpu.flags.value == 0x202)
    }
}
