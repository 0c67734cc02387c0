import Testing

@testable import VCPUControl

@Suite("Vector instructions")
struct VectorTests {
    /// 00 01 02 … 0f, and ff fe fd … f0.
    static let ascending = XMM(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
    static let descending = XMM(0xf8f9_fafb_fcfd_feff, 0xf0f1_f2f3_f4f5_f6f7)

    @Test(
        "lanes combine without touching their neighbours",
        arguments: [
            (PackedInteger.addBytes, XMM(0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
            (.addSignedBytes, XMM(0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
            (.subtractUnsignedBytes, .zero),
            (.maximumBytes, descending),
            (.maximumWords, ascending),
            (.greaterWords, XMM(.max, .max)),
            (.averageBytes, XMM(0x8080_8080_8080_8080, 0x8080_8080_8080_8080)),
            (.sumOfDifferences, XMM(255 * 8 - 56, 255 * 8 - 184)),
            (.multiplyDoublewords, XMM(0x0302_0100 * 0xfcfd_feff, 0x0b0a_0908 * 0xf4f5_f6f7)),
        ])
    func combine(operation: PackedInteger, expected: XMM) {
        #expect(operation.combine(Self.ascending, Self.descending) == expected)
    }

    @Test("saturation stops at the ends of the lane")
    func saturation() {
        let (high, low) = (
            XMM(repeating: 0x7f7f_7f7f_7f7f_7f7f), XMM(repeating: 0x8080_8080_8080_8080)
        )
        #expect(PackedInteger.addSignedBytes.combine(high, high) == high)
        #expect(PackedInteger.subtractSignedBytes.combine(low, high) == low)
        #expect(PackedInteger.addUnsignedWords.combine(low, low) == XMM(repeating: .max))
    }

    @Test("PMADDWD wraps where all words are -32768")
    func multiplyAdd() {
        let lowest = XMM(repeating: 0x8000_8000_8000_8000)
        let expected = XMM(repeating: 0x8000_0000_8000_0000)
        #expect(PackedInteger.multiplyAdd.combine(lowest, lowest) == expected)
    }

    @Test("a count past the lane empties it, or fills it with its sign")
    func shiftCounts() {
        let value = Self.descending
        #expect(PackedShift.leftWords.shift(value, by: 16) == .zero)
        #expect(PackedShift.rightQuadwords.shift(value, by: 1 << 40) == .zero)
        #expect(PackedShift.arithmeticWords.shift(value, by: .max) == XMM(repeating: .max))
        #expect(
            PackedShift.leftBytes.shift(value, by: 1) == XMM(value[0] << 8, value[1] << 8 | 0xf8))
        #expect(PackedShift.rightBytes.shift(value, by: 16) == .zero)
    }

    @Test("packs saturate, unpacks take lanes in turn, shuffles follow their immediate")
    func shuffles() {
        let (a, b) = (Self.ascending, Self.descending)
        #expect(
            PackedShuffle.unpackLowBytes.combine(a, b, 0)
                == XMM(0xfc03_fd02_fe01_ff00, 0xf807_f906_fa05_fb04))
        #expect(
            PackedShuffle.packUnsignedWords.combine(a, b, 0) == XMM(0xffff_ffff_ffff_ffff, 0))
        #expect(
            PackedShuffle.shuffleDoublewords.combine(a, b, 0x1b)
                == XMM(0xf4f5_f6f7_f0f1_f2f3, 0xfcfd_feff_f8f9_fafb))
        #expect(PackedShuffle.shuffleDoubles.combine(a, b, 1) == XMM(a[1], b[0]))
        #expect(PackedShuffle.shuffleHighWords.combine(a, b, 0)[1] == 0xf6f7_f6f7_f6f7_f6f7)
    }

    @Test("a double that fits 64 bits and not 32 is indefinite in a 32-bit register")
    func narrowConversion() throws {
        // cvttsd2si eax, xmm0; cvtsd2si ecx, [rsi]; cvttsd2si rdx, xmm0
        var bare = try BareVCPU([
            0xf2, 0x0f, 0x2c, 0xc0, 0xf2, 0x0f, 0x2d, 0x0e, 0xf2, 0x48, 0x0f, 0x2c, 0xd0,
        ])
        let value = (8_589_934_595.0).bitPattern
        bare.vcpu.vector[UInt8(0)] = XMM(value, 0)
        bare.write(BareVCPU.data, value)
        #expect(bare.execute(3) == nil)
        #expect(bare[.rax] == 0x8000_0000)
        #expect(bare[.rcx] == 0x8000_0000)
        #expect(bare[.rdx] == 8_589_934_595)
    }

    @Test("every operation survives its raw value")
    func rawValues() {
        for raw in UInt16.min...0x7ff {
            guard let operation = VectorOperation(rawValue: raw) else { continue }
            #expect(operation.rawValue == raw)
        }
    }

    @Test("SSE is #UD without CR4.OSFXSR or with CR0.EM, and #NM with CR0.TS")
    func conditions() {
        #expect(fault(cr0: 0, cr4: 0) == .invalidOpcode)
        #expect(fault(cr0: 1 << 2 | 1 << 3, cr4: 1 << 9) == .invalidOpcode)
        #expect(fault(cr0: 1 << 3, cr4: 1 << 9) == .deviceNotAvailable)
        #expect(fault(cr0: 0, cr4: 1 << 9) == nil)
    }

    private func fault(cr0: UInt64, cr4: UInt64) -> Fault? {
        guard let guest = GuestMemory(pages: 1, cBit: 51, key: 0) else { return nil }
        var vcpu = EmulatedVCPU(memory: VirtualMemory(guest: guest))
        (vcpu.system.cr0, vcpu.system.cr4) = (cr0, cr4)
        var instruction = Instruction()
        instruction.form = .registerRegister
        instruction.detail = VectorOperation.integer(.xor).rawValue
        do throws(Fault) { try vcpu.executeVector(instruction) } catch { return error }
        return nil
    }
}
