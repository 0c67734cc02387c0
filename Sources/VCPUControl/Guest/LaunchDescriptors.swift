internal import CKVM

/// The segments that a guest starts with, and their tables (APM volume 2, 4.8 and 8.2).
enum LaunchDescriptors {
    /// The GDT in order; a descriptor's selector is eight times its index.
    ///
    /// The user's data before the user's code, as SYSRET wants it with 0x18 in STAR[63:48].
    private static let descriptors: [UInt64] = [
        0,
        0x00af_9b00_0000_ffff,  // 0x08: kernel code, 64-bit
        0x00cf_9300_0000_ffff,  // 0x10: kernel data
        0,  // 0x18: where the user's 32-bit code would be
        0x00cf_f300_0000_ffff,  // 0x20: user data
        0x00af_fb00_0000_ffff,  // 0x28: user code, 64-bit
    ]

    static let code = Segment(selector: 0x08, attributes: 0xa9b)
    static let data = Segment(selector: 0x10, attributes: 0xc93)
    private static let taskSelector: UInt16 = 0x30
    /// A TSS without I/O bitmap: all 104 bytes, and no more.
    private static let taskLimit: UInt64 = 0x67

    static func task(at base: UInt64) -> Segment {
        Segment(selector: taskSelector, attributes: 0x8b, limit: UInt32(taskLimit), base: base)
    }

    /// The bytes of a GDT whose last two entries describe the busy TSS at `task`.
    static func gdt(task: UInt64) -> [UInt64] {
        let low = taskLimit | (task & 0xff_ffff) << 16 | 0x8b << 40 | (task >> 24 & 0xff) << 56
        return descriptors + [low, task >> 32]
    }

    /// A TSS with the stacks for a change to CPL 0, for #VC and for NMI, as 32-bit words.
    static func tss(interruptStack: UInt64, vcStack: UInt64, nmiStack: UInt64) -> [UInt32] {
        var words = [UInt32](repeating: 0, count: 26)
        // RSP0, IST1 and IST2.
        for (index, stack) in [(1, interruptStack), (9, vcStack), (11, nmiStack)] {
            words[index] = UInt32(truncatingIfNeeded: stack)
            words[index + 1] = UInt32(truncatingIfNeeded: stack >> 32)
        }
        words[25] = UInt32(taskLimit + 1) << 16  // the I/O bitmap lies outside
        return words
    }

    /// A present interrupt gate of an IDT; the stack is an entry of the IST, or 0 for the current one.
    struct Gate {
        var vector: Int
        var handler: UInt64
        var stack: UInt64
    }

    /// An IDT of 256 gates, of which only these are present.
    static func idt(_ present: [Gate]) -> [UInt64] {
        var gates = [UInt64](repeating: 0, count: 512)
        for gate in present {
            let low = gate.handler & 0xffff | UInt64(code.selector) << 16
            let kind = (0x8e00 | gate.stack) << 32
            gates[gate.vector * 2] = low | kind | (gate.handler >> 16 & 0xffff) << 48
            gates[gate.vector * 2 + 1] = gate.handler >> 32
        }
        return gates
    }
}
