import Testing

@testable import VCPUControl

@Suite("Decoding and control flow")
struct CodeTests {
    private let code = BareVCPU.code
    private let stack = BareVCPU.stack

    @Test("an instruction is cached in 32 bytes")
    func size() {
        #expect(MemoryLayout<Instruction>.size == 32)
        #expect(Operation.undecoded.rawValue == 0)
    }

    @Test("an instruction that crosses pages is executed; its second page may fault")
    func crossing() throws {
        let start = BareVCPU.code + 0xffd
        var bare = try BareVCPU([0xb8, 0x78, 0x56, 0x34, 0x12], at: start)  // mov eax, imm
        bare.map(code + 0x1000, permissions: 0)
        let fault = bare.execute()
        #expect(fault?.vector == 14)
        #expect(fault?.address == code + 0x1000)
        bare.map(code + 0x1000, permissions: 3)
        bare.execute()
        #expect(bare[.rax] == 0x1234_5678)
        #expect(bare.vcpu.rip == start + 5)
    }

    @Test("code that writes to itself executes what it wrote")
    func selfModifying() throws {
        var bare = try BareVCPU([
            0xb0, 1, 0xeb, 0,  // mov al, 1; jmp +0
            0xc6, 0x05, 0xf6, 0xff, 0xff, 0xff, 7,  // mov byte [rip-10], 7
            0xeb, 0xf3,  // jmp to the start
        ])
        bare.execute(2)
        #expect(bare[.rax] == 1)
        bare.execute(3)
        #expect(bare.vcpu.rip == code + 2)
        #expect(bare[.rax] == 7)
    }

    @Test("invalidation drops only what overlaps")
    func invalidation() throws {
        var bare = try BareVCPU([0x90, 0xb0, 1, 0x90])
        bare.execute(3)
        let cache = bare.vcpu.memory.guest.code
        let slots = unsafe cache.slots(ofPage: 1)
        cache.invalidate(page: 1, offset: 2, count: 1)
        #expect(unsafe slots[0].operation == .nop)
        #expect(unsafe slots[1].operation == .undecoded)
        #expect(unsafe slots[3].operation == .nop)
        #expect(cache.holdsCode(page: 1))
        cache.invalidate(page: 1, offset: 0, count: 4096)
        #expect(!cache.holdsCode(page: 1))
    }

    @Test("a breakpoint stops before its instruction, not where the run starts")
    func breakpoints() throws {
        var bare = try BareVCPU([0x90, 0x90, 0xeb, 0xfc])  // nop; nop; jmp back
        let cache = bare.vcpu.memory.guest.code
        cache.setBreakpoints([code + 1])
        #expect(bare.vcpu.run(limit: 100) == .breakpoint)
        #expect(bare.vcpu.rip == code + 1)
        #expect(bare.vcpu.retired == 1)
        #expect(bare.vcpu.run(limit: 100) == .breakpoint)
        #expect(bare.vcpu.retired == 4)
        cache.setBreakpoints([code + 0x1001])
        #expect(bare.vcpu.run(limit: 100) == .limit)
        cache.setBreakpoints([code, code + 2])
        bare.vcpu.rip = code
        #expect(bare.vcpu.run(limit: 100) == .breakpoint)
        #expect(bare.vcpu.rip == code + 2)
    }

    @Test("branches to non-canonical addresses are #GP on the branch, with RSP unmoved")
    func nonCanonical() throws {
        var bare = try BareVCPU([0xff, 0xd0, 0xff, 0xe0, 0xc3])  // call rax; jmp rax; ret
        bare[.rax] = 1 << 47
        for offset in [UInt64(0), 2] {
            bare.vcpu.rip = code + offset
            #expect(bare.execute() == .generalProtection())
            #expect(bare.vcpu.rip == code + offset)
            #expect(bare[.rsp] == stack)
        }
        bare.write(stack, UInt64(1) << 47)
        bare.vcpu.rip = code + 4
        #expect(bare.execute() == .generalProtection())
        #expect(bare[.rsp] == stack)
    }

    @Test("CALL, RET with a count, LOOP and JECXZ")
    func branches() throws {
        var bare = try BareVCPU([
            0xe8, 0x03, 0, 0, 0,  // call +3
            0xe2, 0xfe, 0x90,  // loop to itself; nop
            0xc2, 8, 0,  // ret 8
        ])
        bare[.rcx] = 3
        bare.execute()
        #expect(bare.vcpu.rip == code + 8)
        #expect(bare.read(stack - 8, UInt64.self) == code + 5)
        bare.execute()
        #expect(bare.vcpu.rip == code + 5)
        #expect(bare[.rsp] == stack + 8)
        bare.execute(2)
        #expect(bare.vcpu.rip == code + 5)
        bare.execute()
        #expect(bare.vcpu.rip == code + 7)
        bare = try BareVCPU([0x67, 0xe3, 0x10])  // jecxz
        bare[.rcx] = 1 << 32
        bare.execute()
        #expect(bare.vcpu.rip == code + 0x13)
    }

    @Test(
        "what is invalid is #UD, what is too long #GP",
        arguments: [
            ([0x0f, 0x0b], Fault.invalidOpcode),  // ud2
            ([0x0f, 0xff, 0xc0], .invalidOpcode),  // ud0
            ([0xf0, 0x01, 0xc0], .invalidOpcode),  // lock add eax, eax
            ([0x06], .invalidOpcode),  // push es
            ([0x8d, 0xc0], .invalidOpcode),  // lea eax, eax
            ([UInt8](repeating: 0x66, count: 15) + [0x90], .generalProtection()),
        ])
    func invalid(_ bytes: [UInt8], _ fault: Fault) throws {
        var bare = try BareVCPU(bytes)
        #expect(bare.execute() == fault)
        #expect(bare.vcpu.rip == code)
    }

    @Test(
        "real instructions that the emulator does not know end the run with their bytes",
        arguments: [
            [0xc5, 0xf1, 0xfe, 0xc2],  // vpaddd xmm0, xmm1, xmm2
            [0x0f, 0xfc, 0xc1],  // paddb mm0, mm1
            [0xd9, 0xe8],  // fld1
            [0x66, 0x0f, 0x38, 0x00, 0xc1],  // pshufb xmm0, xmm1
        ])
    func unknown(_ bytes: [UInt8]) throws {
        var bare = try BareVCPU([0x90] + bytes)
        #expect(bare.vcpu.run(limit: 10) == .unimplemented(bytes))
        #expect(bare.vcpu.rip == code + 1)
        #expect(bare.vcpu.retired == 1)
    }

    @Test("REP VMMCALL ends the run behind itself; it counts", arguments: [0xf3, 0xf2] as [UInt8])
    func vmgexit(_ prefix: UInt8) throws {
        var bare = try BareVCPU([prefix, 0x0f, 0x01, 0xd9])
        #expect(bare.vcpu.run(limit: 10) == .vmgexit)
        #expect(bare.vcpu.rip == code + 4)
        #expect(bare.vcpu.retired == 1)
    }

    @Test("HLT ends the run behind itself; it counts")
    func halt() throws {
        var bare = try BareVCPU([0xf4])
        #expect(bare.vcpu.run(limit: 10) == .halt)
        #expect(bare.vcpu.rip == code + 1)
        #expect(bare.vcpu.retired == 1)
    }

    @Test("TF that POPF sets is noticed after the next instruction")
    func trap() throws {
        var bare = try BareVCPU([0x9d, 0x90, 0x90])  // popf; nop; nop
        bare.write(stack, UInt64(0x102))
        guard case .shutdown = bare.vcpu.run(limit: 10) else {
            Issue.record("the trap was not delivered")
            return
        }
        #expect(bare.vcpu.retired == 2)
    }

    @Test("no-operations: ENDBR64, RDSSP, BNDMOV, prefetches of a bad address")
    func noOperations() throws {
        let instructions: [[UInt8]] = [
            [0xf3, 0x0f, 0x1e, 0xfa], [0xf3, 0x48, 0x0f, 0x1e, 0xc8], [0x66, 0x0f, 0x1a, 0xc1],
            [0x0f, 0x18, 0x08], [0x0f, 0x1f, 0x44, 0, 0], [0xf3, 0x90],
        ]
        var bare = try BareVCPU(Array(instructions.joined()))
        bare[.rax] = 1 << 63
        #expect(bare.execute(6) == nil)
        #expect(bare.vcpu.retired == 6)
        #expect(bare[.rax] == 1 << 63)
    }

    @Test("RDRAND gives the same numbers for the same seed")
    func random() throws {
        // rdrand rax; rdseed ecx
        var bare = try BareVCPU([0x48, 0x0f, 0xc7, 0xf0, 0x0f, 0xc7, 0xf9])
        bare.status = status("zso")
        bare.execute(2)
        #expect(bare[.rax] == 0xe220_a839_7b1d_cdaf)
        #expect(bare[.rcx] == 0xa1b9_65f4)
        #expect(bare.status == status("c"))
    }
}
