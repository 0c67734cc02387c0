import Testing

@testable import VCPUControl

@Suite("String instructions")
struct StringTests {
    private let data = BareVCPU.data

    @Test("one iteration is one step, and RIP stays until the last")
    func steps() throws {
        var bare = try BareVCPU([0xf3, 0x48, 0xa5])  // rep movsq
        bare[.rdi] = data + 0x100
        bare[.rcx] = 3
        for word in 0..<3 { bare.write(data + UInt64(word) * 8, UInt64(word + 1)) }
        for step in UInt64(1)...3 {
            bare.execute()
            #expect(bare.vcpu.retired == step)
            #expect(bare[.rcx] == 3 - step)
            #expect(bare[.rdi] == data + 0x100 + step * 8)
            #expect(bare.read(data + 0xf8 + step * 8, UInt64.self) == step)
            #expect(bare.vcpu.rip == BareVCPU.code + (step == 3 ? 3 : 0))
        }
    }

    @Test("many iterations at once come to the same")
    func bulk() throws {
        var bare = try BareVCPU([0xf3, 0xaa, 0x90])  // rep stosb; nop
        bare[.rcx] = 1000
        bare[.rax] = 0x5a
        bare.execute(600)
        #expect(bare[.rcx] == 400)
        #expect(bare.vcpu.rip == BareVCPU.code)
        bare.execute(401)
        #expect(bare.vcpu.rip == BareVCPU.code + 3)
        #expect(bare.vcpu.retired == 1001)
        #expect(bare.read(data + 999, UInt8.self) == 0x5a)
        #expect(bare.read(data + 1000, UInt8.self) == 0)
    }

    @Test("a count of zero is one instruction that does nothing")
    func zero() throws {
        var bare = try BareVCPU([0xf3, 0xa6])  // repe cmpsb
        bare.status = status("c")
        bare.execute()
        #expect(bare.vcpu.rip == BareVCPU.code + 2)
        #expect(bare.vcpu.retired == 1)
        #expect(bare.status == status("c"))
        #expect(bare[.rsi] == data)
    }

    @Test("a fault leaves the finished iterations done and counted")
    func fault() throws {
        var bare = try BareVCPU([0xf3, 0xab])  // rep stosd
        bare.map(data + 0x1000, permissions: 1)
        bare[.rdi] = data + 0x1000 - 10
        bare[.rcx] = 5
        #expect(bare.execute(5) == .pageFault(data + 0x1000, 3))
        #expect(bare[.rcx] == 3)
        #expect(bare[.rdi] == data + 0x1000 - 2)
        #expect(bare.vcpu.retired == 2)
        #expect(bare.vcpu.rip == BareVCPU.code)
        #expect(bare.read(data + 0x1000 - 2, UInt16.self) == 0)
    }

    @Test("REPE and REPNE end at the first difference and the first match")
    func comparisons() throws {
        var bare = try BareVCPU([0xf3, 0xa6, 0xf2, 0xae])  // repe cmpsb; repne scasb
        bare[.rdi] = data + 0x100
        for offset in UInt64(0)..<4 { bare.write(data + offset, UInt8(offset)) }
        for offset in UInt64(0)..<3 { bare.write(data + 0x100 + offset, UInt8(offset)) }
        bare[.rcx] = 10
        bare.execute(4)
        #expect(bare[.rcx] == 6)
        #expect(bare[.rsi] == data + 4)
        #expect(bare.status & status("zc") == 0)
        bare[.rdi] = data
        bare[.rax] = 2
        bare.execute(3)
        #expect(bare[.rcx] == 3)
        #expect(bare[.rdi] == data + 3)
        #expect(bare.status & status("z") != 0)
        #expect(bare.vcpu.rip == BareVCPU.code + 4)
    }

    @Test("a fault of a repeated comparison leaves the flags from before it", arguments: [1, 100])
    func flagsAtFault(_ chunk: UInt64) throws {
        var bare = try BareVCPU([0xf2, 0xae])  // repne scasb
        bare.map(data + 0x1000, permissions: 0)
        bare[.rdi] = data + 0x1000 - 3
        bare[.rcx] = 10
        bare[.rax] = 1
        bare.status = status("zo")
        var fault: Fault?
        while fault == nil { fault = bare.execute(chunk) }
        #expect(fault == .pageFault(data + 0x1000, 0))
        #expect(bare[.rcx] == 7)
        #expect(bare.status == status("zo"))
    }

    @Test("REP with ECX clears upper halves even for a count of zero")
    func upperHalves() throws {
        var bare = try BareVCPU([0x67, 0xf3, 0xa4, 0x67, 0xf3, 0xa6])  // movs, cmps
        for register in [Register.rcx, .rsi, .rdi] { bare[register] = 1 << 40 }
        bare.execute()
        for register in [Register.rcx, .rsi, .rdi] { #expect(bare[register] == 0) }
        for register in [Register.rcx, .rsi, .rdi] { bare[register] = 1 << 40 }
        bare.execute()
        #expect(bare[.rcx] == 0)
        #expect(bare[.rsi] == 1 << 40)
    }

    @Test("CMPS reads its second operand first")
    func order() throws {
        var bare = try BareVCPU([0xa6])
        bare.map(data, permissions: 0)
        bare.map(data + 0x1000, permissions: 0)
        bare[.rdi] = data + 0x1000
        #expect(bare.execute() == .pageFault(data + 0x1000, 0))
    }

    @Test("DF counts down; 32-bit addresses clear the upper halves")
    func direction() throws {
        var bare = try BareVCPU([0xfd, 0x66, 0xad, 0x67, 0xaa])  // std; lodsw; stosb [edi]
        bare.write(data, UInt16(0x1234))
        bare.execute(2)
        #expect(bare[.rax] == 0x1234)
        #expect(bare[.rsi] == data - 2)
        bare[.rdi] |= 1 << 40
        bare.execute()
        #expect(bare[.rdi] == data - 1)
    }
}
