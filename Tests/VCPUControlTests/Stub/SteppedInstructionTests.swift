import Testing

@testable import VCPUControl

@Suite("Instructions before they are stepped")
struct SteppedInstructionTests {
    @Test(
        "those that TF does not get along with are known, with all their prefixes",
        arguments: [
            ([0x90], .ordinary), ([], .ordinary), ([0x66], .ordinary),
            ([0x9c], .linear(length: 1)), ([0x66, 0x9c], .linear(length: 2)),
            ([0x9d], .linear(length: 1)), ([0x48, 0xcf], .interruptReturn), ([0xcf], .ordinary),
            ([0x8e, 0xd1], .linear(length: 2)), ([0x8e, 0xd9], .ordinary),  // to SS, to DS
            ([0x8e, 0x11], .ordinary), ([0x0f, 0x05], .systemCall), ([0x0f, 0x07], .ordinary),
            ([0xf3, 0x0f, 0x01, 0xd9], .vmgexit(length: 4)),
            ([0x66, 0xf3, 0x0f, 0x01, 0xd9], .vmgexit(length: 5)),
            ([0x0f, 0x01, 0xd9], .ordinary),  // VMMCALL
            ([0x0f, 0x01, 0x1c, 0x24], .loadsIDT), ([0x2e, 0x0f, 0x01, 0x5d, 0], .loadsIDT),
            ([0x0f, 0x01, 0x14, 0x24], .ordinary),  // LGDT
            ([0x0f, 0x01, 0xd8], .ordinary),  // VMRUN: /3 with a register
            ([0x0f, 0x01], .ordinary),
        ] as [([UInt8], SteppedInstruction)])
    func table(bytes: [UInt8], expected: SteppedInstruction) {
        #expect(SteppedInstruction(bytes) == expected)
    }

    @Test("LIDT is found wherever it is, and only as a whole")
    func places() {
        #expect(LoadIDT.places(in: [0x90, 0x0f, 0x01, 0x18, 0x0f, 0x01]) == [1])
        #expect(LoadIDT.places(in: [0x0f, 0x01]) == [])
    }

    @Test("TF is the guest's again behind a step, and untouched where none was set")
    func trap() {
        var before = RegisterFile()
        before[.rflags] = 0x2
        var after = before
        after[.rflags] = 0x102
        func flags(_ from: RegisterFile, _ to: RegisterFile, landing: UInt64? = nil) -> UInt64 {
            StubStep(.ordinary, from, landing: landing).mended(to)[.rflags]
        }
        #expect(flags(before, after) == 0x2)
        #expect(flags(after, before) == 0x102)
        #expect(flags(before, after, landing: 0x1000) == 0x102)
    }
}
