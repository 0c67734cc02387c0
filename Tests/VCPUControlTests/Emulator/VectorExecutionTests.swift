import Testing

@testable import VCPUControl

@Suite("Vector instructions as executed")
struct VectorExecutionTests {
    let pattern = XMM(0x1111_2222_3333_4444, 0x5555_6666_7777_8888)

    @Test("MOVD and MOVQ clear what they do not move; MOVSS and MOVSD keep it between registers")
    func moves() throws {
        // movd xmm1, eax; movq rcx, xmm2; movss xmm3, xmm2; movq xmm4, xmm2; movsd xmm5, [rsi]
        var guest = try BareVCPU([
            0x66, 0x0f, 0x6e, 0xc8, 0x66, 0x48, 0x0f, 0x7e, 0xd1, 0xf3, 0x0f, 0x10, 0xda,
            0xf3, 0x0f, 0x7e, 0xe2, 0xf2, 0x0f, 0x10, 0x2e,
        ])
        guest[.rax] = 0xffff_ffff_8765_4321
        for register: UInt8 in 2...5 { guest.vcpu.vector[register] = pattern }
        guest.vcpu.vector[3] = XMM(.max, .max)
        guest.write(BareVCPU.data, 0x99 as UInt64)
        #expect(guest.execute(5) == nil)
        #expect(guest.vcpu.vector[1] == XMM(0x8765_4321, 0))
        #expect(guest[.rcx] == pattern[0])
        #expect(guest.vcpu.vector[3] == XMM(0xffff_ffff_3333_4444, .max))
        #expect(guest.vcpu.vector[4] == XMM(pattern[0], 0))
        #expect(guest.vcpu.vector[5] == XMM(0x99, 0))
    }

    @Test("an aligned operand must be aligned, an unaligned one need not")
    func alignment() throws {
        // movups [rsi], xmm0; movaps [rsi], xmm0
        var guest = try BareVCPU([0x0f, 0x11, 0x06, 0x0f, 0x29, 0x06])
        guest[.rsi] = BareVCPU.data + 8
        guest.vcpu.vector[0] = pattern
        #expect(guest.execute() == nil)
        #expect(guest.read(BareVCPU.data + 16, UInt64.self) == pattern[1])
        #expect(guest.execute() == .generalProtection())
    }

    @Test("MMX, AVX and later SSE are not known rather than undefined")
    func unknown() throws {
        // paddb mm0, mm1; vpaddb xmm0, xmm0, xmm0; pshufb xmm0, xmm1; rcpps xmm0, xmm1
        let unknown: [[UInt8]] = [
            [0x0f, 0xfc, 0xc1], [0xc5, 0xf9, 0xfc, 0xc0], [0x66, 0x0f, 0x38, 0x00, 0xc1],
            [0x0f, 0x53, 0xc1],
        ]
        for bytes in unknown {
            var guest = try BareVCPU(bytes)
            #expect(try guest.pause() == .unimplemented)
        }
    }

    @Test("an unmasked exception is #XM with its flag set and no result; #UD without OSXMMEXCPT")
    func unmasked() throws {
        // divss xmm0, xmm1
        var guest = try BareVCPU([0xf3, 0x0f, 0x5e, 0xc1])
        guest.vcpu.vector[0] = XMM(UInt64(Float(1).bitPattern), 0)
        guest.vcpu.vector.mxcsr = try #require(MXCSR(rawValue: 0x1d80))
        #expect(guest.execute() == .simdFloatingPoint)
        #expect(guest.vcpu.vector.mxcsr.rawValue == 0x1d84)
        #expect(guest.vcpu.vector[0] == XMM(UInt64(Float(1).bitPattern), 0))
        guest.vcpu.system.cr4 = 0x220
        #expect(guest.execute() == .invalidOpcode)
    }

    @Test("LDMXCSR refuses reserved bits")
    func mxcsr() throws {
        // ldmxcsr [rsi]
        var guest = try BareVCPU([0x0f, 0xae, 0x16])
        guest.write(BareVCPU.data, 0x1_1f80 as UInt32)
        #expect(guest.execute() == .generalProtection())
        guest.write(BareVCPU.data, 0x7f80 as UInt32)
        #expect(guest.execute() == nil)
        #expect(guest.vcpu.vector.mxcsr.rounding == .towardZero)
    }

    @Test("what FXSAVE64 stores, FXRSTOR64 brings back")
    func legacyArea() throws {
        // fxsave64 [rsi]; fninit; pxor xmm7, xmm7; fxrstor64 [rsi]
        var guest = try BareVCPU([
            0x48, 0x0f, 0xae, 0x06, 0xdb, 0xe3, 0x66, 0x0f, 0xef, 0xff, 0x48, 0x0f, 0xae, 0x0e,
        ])
        guest.vcpu.vector[7] = pattern
        guest.vcpu.vector.x87.control = 0x27f
        guest.vcpu.vector.x87.stack[1] = .init(significand: 1 << 63, exponent: 0x3fff)
        #expect(guest.execute(3) == nil)
        #expect(guest.vcpu.vector[7] == .zero)
        #expect(guest.vcpu.vector.x87.control == 0x37f)
        #expect(guest.read(BareVCPU.data + 24, UInt64.self) == 0xffff_0000_1f80)
        #expect(guest.execute() == nil)
        #expect(guest.vcpu.vector[7] == pattern)
        #expect(guest.vcpu.vector.x87.control == 0x27f)
        #expect(guest.vcpu.vector.x87.stack[1].exponent == 0x3fff)
    }

    @Test("XSAVE stores the components that are asked for; XRSTOR resets those that are not there")
    func extendedArea() throws {
        // xsave [rsi]; xrstor [rsi]
        var guest = try BareVCPU([0x0f, 0xae, 0x26, 0x0f, 0xae, 0x2e])
        guest.vcpu.system.cr4 |= 1 << 18
        guest.vcpu.system.xcr0 = 3
        guest.vcpu.vector[0] = pattern
        guest[.rax] = 2
        #expect(guest.execute() == nil)
        #expect(guest.read(BareVCPU.data + 512, UInt64.self) == 2)
        #expect(guest.read(BareVCPU.data + 160, UInt64.self) == pattern[0])
        guest.write(BareVCPU.data + 512, 0 as UInt64)
        #expect(guest.execute() == nil)
        #expect(guest.vcpu.vector[0] == .zero)
    }

    @Test("XSAVE is #UD without CR4.OSXSAVE, and XRSTOR checks the header")
    func extendedChecks() throws {
        // xrstor [rsi]
        var guest = try BareVCPU([0x0f, 0xae, 0x2e])
        #expect(guest.execute() == .invalidOpcode)
        guest.vcpu.system.cr4 |= 1 << 18
        guest.write(BareVCPU.data + 512, 4 as UInt64)
        #expect(guest.execute() == .generalProtection())
        guest.write(BareVCPU.data + 512, 0 as UInt64)
        guest.write(BareVCPU.data + 520, 1 << 63 | 4 as UInt64)
        #expect(guest.execute() == .generalProtection())
    }

    @Test("XSAVEC and XSAVES mark the area compacted; XRSTOR and XRSTORS take it back")
    func compacted() throws {
        // xsavec [rsi]; xrstor [rsi], and xsaves [rsi]; xrstors [rsi]
        for code in [[0x0f, 0xc7, 0x26, 0x0f, 0xae, 0x2e], [0x0f, 0xc7, 0x2e, 0x0f, 0xc7, 0x1e]]
            as [[UInt8]]
        {
            var guest = try BareVCPU(code)
            guest.vcpu.system.cr4 |= 1 << 18
            guest.vcpu.system.xcr0 = 3
            guest.vcpu.vector[0] = pattern
            guest[.rax] = 3
            #expect(guest.execute() == nil)
            #expect(guest.read(BareVCPU.data + 512, UInt64.self) == 3)
            #expect(guest.read(BareVCPU.data + 520, UInt64.self) == UInt64(1) << 63 | 3)
            #expect(guest.read(BareVCPU.data + 160, UInt64.self) == pattern[0])
            guest.vcpu.vector[0] = .zero
            #expect(guest.execute() == nil)
            #expect(guest.vcpu.vector[0] == pattern)
        }
    }

    @Test("XRSTORS refuses the standard form, and resets what a compacted area lacks")
    func compactedChecks() throws {
        // xrstors [rsi]
        var guest = try BareVCPU([0x0f, 0xc7, 0x1e])
        guest.vcpu.system.cr4 |= 1 << 18
        guest.vcpu.system.xcr0 = 3
        guest[.rax] = 3
        #expect(guest.execute() == .generalProtection())
        guest.write(BareVCPU.data + 520, 1 << 63 | 1 as UInt64)
        guest.write(BareVCPU.data + 512, 2 as UInt64)
        #expect(guest.execute() == .generalProtection())
        guest.write(BareVCPU.data + 512, 0 as UInt64)
        guest.vcpu.vector[0] = pattern
        #expect(guest.execute() == nil)
        #expect(guest.vcpu.vector[0] == .zero)
        #expect(guest.vcpu.vector.mxcsr == MXCSR())
    }

    @Test("a pending x87 exception is reported by the next waiting instruction")
    func pending() throws {
        // fldcw [rsi]; fwait; fnclex; fwait
        var guest = try BareVCPU([0xd9, 0x2e, 0x9b])
        guest.vcpu.vector.x87.status = 1
        guest.write(BareVCPU.data, 0x37e as UInt16)
        #expect(guest.execute() == nil)
        #expect(guest.vcpu.vector.x87.status == 0x8081)
        #expect(guest.execute() == .x87FloatingPoint)
    }
}
