/// What the tracer wants KVM to stop at.
struct GuestDebug: Equatable {
    /// After each instruction.
    var steps = false
    /// Steps do not end in an interrupt handler, where KVM can keep interrupts back.
    var blocksInterrupts = false
    /// Before the instructions at these addresses: the processor's breakpoints that the VMM leaves.
    var addresses: [UInt64] = []

    static let off = GuestDebug()

    /// `struct kvm_guest_debug`: this, and what the VMM wants itself.
    func bytes(beside vmm: VMMDebug) -> [UInt8] {
        var sum = vmm
        if self != .off { sum.control.formUnion(.enable) }
        if steps { sum.control.formUnion(.singleStep) }
        if blocksInterrupts { sum.control.formUnion(.blockInterrupts) }
        for (index, address) in slots(beside: vmm) { sum.setBreakpoint(index, at: address) }
        return sum.bytes
    }

    /// Which debug registers the addresses are put into; those that find no room are left out.
    private func slots(beside vmm: VMMDebug) -> [(index: Int, address: UInt64)] {
        zip(vmm.free, addresses).map { ($0, $1) }
    }

    /// Whether an exit is for the VMM, too: what both stop at is first the tracer's, and is met again.
    func leaves(_ event: DebugEvent, to vmm: VMMDebug) -> Bool {
        if event.isInt3 { return vmm.control.contains(.int3) }
        let hits = vmm.used.filter { event.hits.contains($0) }
        if hits.contains(where: { !vmm.isInstruction($0) }) { return true }
        if slots(beside: vmm).contains(where: { event.hits.contains($0.index) }) { return false }
        return !hits.isEmpty || vmm.control.contains(.singleStep)
    }
}

/// What a VMM has told KVM for a debugger of its own: `struct kvm_guest_debug`.
package struct VMMDebug: Sendable, Equatable {
    /// `KVM_GUESTDBG_…`.
    struct Control: OptionSet {
        var rawValue: UInt32

        static let enable = Control(rawValue: 1)
        static let singleStep = Control(rawValue: 2)
        static let int3 = Control(rawValue: 0x1_0000)
        static let hardware = Control(rawValue: 0x2_0000)
        /// Since Linux 5.16.
        static let blockInterrupts = Control(rawValue: 0x10_0000)
    }

    var control = Control()
    /// DR0 to DR3; they count with `Control.hardware` only.
    private var addresses = [UInt64](repeating: 0, count: 4)
    private var dr7: UInt64 = 0

    /// Nothing.
    package static let off = VMMDebug()

    private init() {}

    /// What KVM keeps of a vCPU: `guest_debug`, `eff_db` and `guest_debug_dr7`.
    package init(control: UInt64, addresses: [UInt64], dr7: UInt64) {
        let control = Control(rawValue: UInt32(truncatingIfNeeded: control))
        guard control.contains(.enable), addresses.count == 4 else { return }
        self.control = control
        if control.contains(.hardware) { (self.addresses, self.dr7) = (addresses, dr7) }
    }

    /// The bytes of a `struct kvm_guest_debug`; `nil` where they are too few.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.size else { return nil }
        let words = (0..<9).map { UInt64(littleEndian: bytes[8 * $0..<8 * $0 + 8]) }
        self.init(
            control: words[0] & 0xffff_ffff, addresses: Array(words[1...4]), dr7: words[8])
    }

    static let size = 72

    var bytes: [UInt8] {
        let words = [UInt64(control.rawValue)] + addresses + [0, 0, 0, dr7]
        return words.flatMap { $0.littleEndianBytes(8) }
    }

    /// The debug registers that are in use.
    var used: [Int] { (0..<4).filter { dr7 >> UInt64(2 * $0) & 3 != 0 } }
    var free: [Int] { (0..<4).filter { dr7 >> UInt64(2 * $0) & 3 == 0 } }

    /// Whether a debug register is about code, not about data.
    func isInstruction(_ index: Int) -> Bool { dr7 >> UInt64(16 + 4 * index) & 3 == 0 }

    /// APM volume 2, 13.1.1: DR7 enables a breakpoint by two bits, and describes it by four.
    mutating func setBreakpoint(_ index: Int, at address: UInt64) {
        control.formUnion(.hardware)
        addresses[index] = address
        dr7 &= ~(15 << UInt64(16 + 4 * index))
        dr7 |= 0x400 | 2 << UInt64(2 * index)
    }
}

/// What `KVM_EXIT_DEBUG` says of itself.
struct DebugEvent: Equatable {
    var exception: UInt32
    var dr6: UInt64

    /// The debug registers whose breakpoints are met.
    var hits: [Int] { (0..<4).filter { !isInt3 && dr6 >> UInt64($0) & 1 != 0 } }
    var isInt3: Bool { exception == 3 }

    /// Whether memory that other exits use as well holds one that KVM has written: bits of DR6 that are
    /// always set.
    var isReal: Bool { exception == 1 && dr6 & 0xffff_0ff0 == 0xffff_0ff0 }
}
