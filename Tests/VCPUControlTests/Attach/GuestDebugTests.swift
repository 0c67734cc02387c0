import Testing

@testable import VCPUControl

/// What KVM is told to stop at, for the tracer and for the VMM, and whose an exit is.
@Suite("Guest debugging of two")
struct GuestDebugTests {
    private static func words(_ debug: GuestDebug, _ vmm: VMMDebug = .off) -> [UInt64] {
        let bytes = debug.bytes(beside: vmm)
        return stride(from: 0, to: 72, by: 8).map { UInt64(littleEndian: bytes[$0..<$0 + 8]) }
    }

    /// DR1 is a breakpoint at 0x5000, DR2 a watchpoint of 8 bytes at 0x6000.
    private static let vmm = VMMDebug(
        control: 0x2_0001, addresses: [0, 0x5000, 0x6000, 0], dr7: 0xb00_0428)

    @Test("struct kvm_guest_debug for nothing, steps, and breakpoints")
    func alone() {
        #expect(Self.words(.off) == [UInt64](repeating: 0, count: 9))
        #expect(
            Self.words(GuestDebug(steps: true)) == [3] + [UInt64](repeating: 0, count: 8))
        let two = GuestDebug(addresses: [0x1000, 0x2000])
        #expect(Self.words(two) == [0x2_0001, 0x1000, 0x2000, 0, 0, 0, 0, 0, 0x40a])
    }

    @Test("what the VMM has set stays where it is, and the rest is the tracer's")
    func together() {
        #expect(
            Self.words(.off, Self.vmm) == [0x2_0001, 0, 0x5000, 0x6000, 0, 0, 0, 0, 0xb00_0428])
        let both = GuestDebug(steps: true, addresses: [0x1000, 0x2000, 0x3000])
        #expect(
            Self.words(both, Self.vmm)
                == [0x2_0003, 0x1000, 0x5000, 0x6000, 0x2000, 0, 0, 0, 0xb00_04aa])
        #expect(VMMDebug(both.bytes(beside: Self.vmm))?.used == [0, 1, 2, 3])
        #expect(Self.vmm.used == [1, 2] && Self.vmm.free == [0, 3])
    }

    @Test(
        "debug registers without their flag, and flags without that which turns them on, are none")
    func unused() {
        let steps = VMMDebug(control: 3, addresses: [1, 2, 3, 4], dr7: 0xff)
        #expect(steps.used.isEmpty && steps != .off)
        #expect(VMMDebug(control: 2, addresses: [1, 2, 3, 4], dr7: 0xff) == .off)
        #expect(VMMDebug([UInt8](repeating: 0, count: 71)) == nil)
    }

    @Test(
        "an exit is the VMM's, unless it is the tracer's: what is both comes again",
        arguments: [
            // The tracer's DR0, the VMM's DR1, both, the end of a step.
            (1, UInt64(1), false), (1, 2, true), (1, 3, false), (1, 0x4000, false),
            // Its watchpoint does not come again; DR3 is nobody's; INT3 is of whom it is asked for.
            (1, 5, true), (1, 8, false), (3, 0, false),
        ])
    func owner(exception: UInt32, dr6: UInt64, isVMMs: Bool) {
        let own = GuestDebug(steps: true, addresses: [0x1000])
        let event = DebugEvent(exception: exception, dr6: 0xffff_0ff0 | dr6)
        #expect(own.leaves(event, to: Self.vmm) == isVMMs)
        #expect(!own.leaves(event, to: .off))
    }

    @Test("steps and INT3 that the VMM asks for are its own")
    func steps() {
        let vmm = VMMDebug(control: 0x1_0003, addresses: [0, 0, 0, 0], dr7: 0)
        let own = GuestDebug(steps: true, addresses: [0x1000])
        #expect(own.leaves(DebugEvent(exception: 1, dr6: 0xffff_4ff0), to: vmm))
        #expect(own.leaves(DebugEvent(exception: 3, dr6: 0), to: vmm))
        #expect(!own.leaves(DebugEvent(exception: 1, dr6: 0xffff_0ff1), to: vmm))
    }
}
