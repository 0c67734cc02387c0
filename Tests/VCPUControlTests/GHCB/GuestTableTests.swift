import Testing
import VCPUControl

@Suite("CPUID of the VM")
struct CPUIDTableTests {
    let table = CPUIDTable(cBit: 51, vcpus: 4)

    @Test("the vendor is AMD, the hypervisor KVM, and the ranges end where they say")
    func signatures() {
        let amd = CPUIDResult(eax: 0xd, ebx: 0x6874_7541, ecx: 0x444d_4163, edx: 0x6974_6e65)
        #expect(table.result(leaf: 0, subleaf: 0, vcpu: 0) == amd)
        #expect(table.result(leaf: 0x8000_0000, subleaf: 0, vcpu: 0).eax == 0x8000_001f)
        #expect(
            table.result(leaf: 0x4000_0000, subleaf: 0, vcpu: 0)
                == CPUIDResult(eax: 0x4000_0001, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d))
        for leaf in [UInt32(0xe), 0x4000_0002, 0x8000_0020, .max] {
            #expect(table.result(leaf: leaf, subleaf: 0, vcpu: 0) == CPUIDResult())
        }
    }

    @Test("0x8000001F says SEV-ES and the C-bit; KVM hides lost address bits and VMPLs")
    func encryption() {
        let result = table.result(leaf: 0x8000_001f, subleaf: 0, vcpu: 0)
        #expect(result.eax == 0xa)
        #expect(result.ebx == 51)
    }

    @Test("what the emulator does not execute is not offered")
    func features() {
        let first = table.result(leaf: 1, subleaf: 0, vcpu: 3)
        #expect(first.ebx == 0x0304_0800)
        // CX16 POPCNT XSAVE RDRAND HYPERVISOR; no SSE3 (0), OSXSAVE (27) or AVX (28).
        #expect(first.ecx == 0xc480_2000)
        // No MMX (23).
        #expect(first.edx & 1 << 23 == 0)
        #expect(first.edx & 0x0700_0000 == 0x0700_0000)
        #expect(table.result(leaf: 7, subleaf: 0, vcpu: 0).ebx == 0x0094_0081)
        #expect(table.result(leaf: 7, subleaf: 1, vcpu: 0) == CPUIDResult())
        let extended = table.result(leaf: 0x8000_0001, subleaf: 0, vcpu: 0).edx
        #expect(extended & 0x2c10_0800 == 0x2c10_0800)
    }

    @Test("the state of XSAVE is x87 and SSE")
    func extendedState() {
        #expect(
            table.result(leaf: 0xd, subleaf: 0, vcpu: 0)
                == CPUIDResult(eax: 3, ebx: 576, ecx: 576))
        // XSAVEOPT XSAVEC XSAVES.
        #expect(
            table.result(leaf: 0xd, subleaf: 1, vcpu: 0) == CPUIDResult(eax: 0xb, ebx: 576))
        #expect(table.result(leaf: 0xd, subleaf: 2, vcpu: 0) == CPUIDResult())
    }

    @Test("a vCPU alone is no multiprocessor")
    func uniprocessor() {
        let single = CPUIDTable(cBit: 47, vcpus: 1)
        #expect(single.result(leaf: 1, subleaf: 0, vcpu: 0).edx & 1 << 28 == 0)
        #expect(single.result(leaf: 0x8000_0008, subleaf: 0, vcpu: 0).ecx == 0)
        #expect(table.result(leaf: 0x8000_0008, subleaf: 0, vcpu: 0).ecx == 3)
    }
}

@Suite("MSRs of the VM")
struct MSRTableTests {
    let table = MSRTable(isBootstrapProcessor: true)

    @Test(
        "values at reset are KVM's",
        arguments: [
            (UInt32(0x10), UInt64(1000)), (0x1b, 0xfee0_0900), (0xfe, 0x508), (0x8b, 0x100_0065),
            (0x1a0, 0x1800), (0x2ff, 0), (0xc001_0010, 0), (0xc001_0015, 0), (0xc001_1029, 2),
        ])
    func reset(number: UInt32, value: UInt64) {
        #expect(table.read(number, tsc: 1000) == value)
    }

    @Test("only the first vCPU is the bootstrap processor")
    func bootstrap() {
        #expect(MSRTable(isBootstrapProcessor: false).read(0x1b, tsc: 0) == 0xfee0_0800)
    }

    @Test("MSRs that a guest reaches by itself, and unknown ones, are refused")
    func unknown() {
        var table = table
        for number: UInt32 in [0xc000_0080, 0xc001_0130, 0xc001_0131, 0x277, 0x4242] {
            #expect(table.read(number, tsc: 0) == nil)
            let isWritten = table.write(0, to: number, tsc: 0)
            #expect(!isWritten)
        }
    }

    @Test(
        "writes are checked as KVM checks them",
        arguments: [
            (UInt32(0x2ff), UInt64(0xc06), true), (0x2ff, 0xc02, false), (0x2ff, 0x1006, false),
            (0x250, 0x0606_0606_0606_0606, true), (0x26f, 0x0306_0606_0606_0606, false),
            (0x200, 0xfee0_0000, true), (0x200, 0xfee0_0106, false), (0x20e, 1 << 48, false),
            (0x201, 0xffff_ffff_f800, true), (0x201, 0x7ff, false), (0x1b, 0xfee0_0900, true),
            (0x1b, 0xfee0_0c00, false), (0x1b, 1 << 48, false), (0xfe, 0x508, false),
            (0xc001_0015, 0x148, true), (0xc001_0015, 0x10, false), (0xc001_1029, 2, true),
            (0xc001_1029, 0, false), (0x8b, 77, true),
        ])
    func writes(number: UInt32, value: UInt64, isAllowed: Bool) {
        var table = table
        let isWritten = table.write(value, to: number, tsc: 0)
        #expect(isWritten == isAllowed)
    }

    @Test("the time stamp counter runs on from what was written")
    func timeStampCounter() {
        var table = table
        _ = table.write(5, to: 0x10, tsc: 1000)
        #expect(table.read(0x10, tsc: 1010) == 15)
    }

    @Test("ignored bits are not kept, dropped writes change nothing")
    func ignored() {
        var table = table
        _ = table.write(0x4_0148, to: 0xc001_0015, tsc: 0)
        #expect(table.read(0xc001_0015, tsc: 0) == 0x4_0000)
        _ = table.write(77, to: 0x8b, tsc: 0)
        #expect(table.read(0x8b, tsc: 0) == 0x100_0065)
        #expect(MSRTable.name(of: 0x26f) == "MTRRfix4K_F8000")
    }
}
