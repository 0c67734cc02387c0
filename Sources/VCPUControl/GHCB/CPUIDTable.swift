/// What one CPUID leaf returns.
package struct CPUIDResult: Sendable, Hashable {
    package var eax, ebx, ecx, edx: UInt32

    package init(eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0) {
        (self.eax, self.ebx, self.ecx, self.edx) = (eax, ebx, ecx, edx)
    }

    package subscript(register: CPUIDRegister) -> UInt32 {
        switch register {
        case .eax: eax
        case .ebx: ebx
        case .ecx: ecx
        case .edx: edx
        }
    }
}

/// The CPUID of the VM: a Milan EPYC cut down to what the emulator executes.
///
/// Deterministic and without state: OSXSAVE does not follow CR4, and with XCR0 at most x87 | SSE
/// the size in leaf 0xD is the same for every XCR0. No AVX, x87 arithmetic, MMX, SSE3 or BMI.
/// APM volume 3, appendix E.
package struct CPUIDTable: Sendable {
    /// The position of the C-bit in page-table entries.
    package let cBit: Int
    package let vcpus: Int

    package static let highestBasicLeaf: UInt32 = 0xd
    package static let highestExtendedLeaf: UInt32 = 0x8000_001f
    /// Bits of a guest physical address, the C-bit's reduction applied.
    package static let physicalAddressBits = 48

    package init(cBit: Int, vcpus: Int) {
        self.cBit = cBit
        self.vcpus = vcpus
    }

    /// The answer to CPUID; zeros for a leaf that is not there, as on every AMD processor.
    package func result(leaf: UInt32, subleaf: UInt32, vcpu: Int) -> CPUIDResult {
        switch leaf {
        case 0: vendor(eax: Self.highestBasicLeaf)
        case 1: features(vcpu: vcpu)
        case 7 where subleaf == 0: CPUIDResult(ebx: Self.leaf7EBX)
        case 0xd: Self.extendedState(subleaf)
        case 0x4000_0000: Self.kvmSignature
        // No paravirtual feature of KVM is there.
        case 0x4000_0001: CPUIDResult()
        case 0x8000_0000: vendor(eax: Self.highestExtendedLeaf)
        case 0x8000_0001: extendedFeatures
        case 0x8000_0002...0x8000_0004: Self.brand(part: Int(leaf - 0x8000_0002))
        // Invariant TSC: it counts instructions, whatever the host does.
        case 0x8000_0007: CPUIDResult(edx: 1 << 8)
        case 0x8000_0008: addressSizes
        case 0x8000_001f: encryption
        default: CPUIDResult()
        }
    }

    /// Family 0x19, model 1, stepping 1.
    private static let signature: UInt32 = 0x00a0_0f11

    /// FPU DE PSE TSC MSR PAE CX8 APIC MTRR PGE CMOV PAT PSE36 FXSR, the same in both feature leaves.
    private static let commonEDX = bits(0, 2, 3, 4, 5, 6, 8, 9, 12, 13, 15, 16, 17, 24)

    /// FSGSBASE SMEP RDSEED SMAP CLFLUSHOPT.
    private static let leaf7EBX = bits(0, 7, 18, 20, 23)

    private static let kvmSignature = CPUIDResult(
        eax: 0x4000_0001, ebx: word("KVMK"), ecx: word("VMKV"), edx: word("M"))

    private func vendor(eax: UInt32) -> CPUIDResult {
        CPUIDResult(
            eax: eax, ebx: Self.word("Auth"), ecx: Self.word("cAMD"), edx: Self.word("enti"))
    }

    private func features(vcpu: Int) -> CPUIDResult {
        let count = UInt32(clamping: min(vcpus, 255))
        let apicID = UInt32(UInt8(truncatingIfNeeded: vcpu))
        return CPUIDResult(
            eax: Self.signature,
            // CLFLUSH works on 8 * 8 bytes.
            ebx: apicID << 24 | count << 16 | 8 << 8,
            // CX16 POPCNT XSAVE RDRAND HYPERVISOR.
            ecx: Self.bits(13, 23, 26, 30, 31),
            // CLFSH SSE SSE2, and HTT where there are several vCPUs.
            edx: Self.commonEDX | Self.bits(19, 25, 26) | (vcpus > 1 ? 1 << 28 : 0))
    }

    private var extendedFeatures: CPUIDResult {
        CPUIDResult(
            eax: Self.signature,
            // LAHF 3DNowPrefetch, and CmpLegacy where there are several vCPUs.
            ecx: Self.bits(0, 8) | (vcpus > 1 ? 1 << 1 : 0),
            // SYSCALL NX Page1GB RDTSCP LM.
            edx: Self.commonEDX | Self.bits(11, 20, 26, 27, 29))
    }

    /// x87 and SSE only: 512 bytes of legacy area and 64 of header; XSAVEOPT XSAVEC
    /// XSAVES, and so the MSR XSS, in which no bit can be set.
    private static func extendedState(_ subleaf: UInt32) -> CPUIDResult {
        switch subleaf {
        case 0: CPUIDResult(eax: 3, ebx: 576, ecx: 576)
        case 1: CPUIDResult(eax: bits(0, 1, 3), ebx: 576)
        default: CPUIDResult()
        }
    }

    private var addressSizes: CPUIDResult {
        CPUIDResult(
            eax: 48 << 8 | UInt32(Self.physicalAddressBits),
            ecx: UInt32(clamping: min(max(vcpus - 1, 0), 255)))
    }

    /// SEV and SEV-ES; KVM reports no lost address bits and no VMPLs (REFERENCE 8a).
    ///
    /// 509 guests with encryption, of which those with an ASID below 100 are SEV-ES guests.
    private var encryption: CPUIDResult {
        CPUIDResult(eax: Self.bits(1, 3), ebx: UInt32(cBit & 0x3f), ecx: 509, edx: 100)
    }

    private static func brand(part: Int) -> CPUIDResult {
        let text = Array("AMD EPYC as emulated by sevdbg".utf8)
        let words = (0..<4).map { word in
            (0..<4).reduce(UInt32(0)) { value, byte in
                let index = part * 16 + word * 4 + byte
                return value | UInt32(index < text.count ? text[index] : 0) << UInt32(8 * byte)
            }
        }
        return CPUIDResult(eax: words[0], ebx: words[1], ecx: words[2], edx: words[3])
    }

    /// Up to four characters as a register holds them.
    private static func word(_ text: StaticString) -> UInt32 {
        "\(text)".utf8.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func bits(_ positions: UInt32...) -> UInt32 {
        positions.reduce(0) { $0 | 1 << $1 }
    }
}
