internal import CKVM

/// What KVM is asked to stop at; `struct kvm_guest_debug`.
struct GuestDebug: Equatable {
    /// After each instruction.
    var steps = false
    /// Steps do not end in an interrupt handler, where KVM can keep interrupts back.
    var blocksInterrupts = false
    /// Before the instructions at these addresses, at most four: the processor's breakpoints.
    var addresses: [UInt64] = []

    static let off = GuestDebug()
    static let greatestCount = 4

    private static let enable: UInt32 = 1
    private static let singleStep: UInt32 = 2
    /// `KVM_GUESTDBG_BLOCKIRQ`, since Linux 5.16.
    private static let blockInterrupts: UInt32 = 0x10_0000
    private static let hardware: UInt32 = 0x20000

    var bytes: [UInt8] {
        var control: UInt32 = self == .off ? 0 : Self.enable
        if steps { control |= Self.singleStep }
        if blocksInterrupts { control |= Self.blockInterrupts }
        if !addresses.isEmpty { control |= Self.hardware }
        var words = [UInt64(control)] + [UInt64](repeating: 0, count: 8)
        var dr7: UInt64 = 0x400
        for (index, address) in addresses.prefix(Self.greatestCount).enumerated() {
            words[1 + index] = address
            dr7 |= 2 << UInt64(2 * index)
        }
        if !addresses.isEmpty { words[8] = dr7 }
        return words.flatMap { $0.littleEndianBytes(8) }
    }
}
