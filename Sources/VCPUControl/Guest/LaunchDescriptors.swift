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

    /// A TSS with the stacks for a change to CPL 0 and for #VC, as 32-bit words.
    static func tss(interruptStack: UInt64, vcStack: UInt64) -> [UInt32] {
        var words = [UInt32](repeating: 0, count: 26)
        words[1] = UInt32(truncatingIfNeeded: interruptStack)  // RSP0
        words[2] = UInt32(truncatingIfNeeded: interruptStack >> 32)
        words[9] = UInt32(truncatingIfNeeded: vcStack)  // IST1
        words[10] = UInt32(truncatingIfNeeded: vcStack >> 32)
        words[25] = UInt32(taskLimit + 1) << 16  // the I/O bitmap lies outside
        return words
    }

    /// An IDT of 256 gates, of which only that of #VC is present: an interrupt gate on IST1.
    static func idt(vcHandler: UInt64) -> [UInt64] {
        var gates = [UInt64](repeating: 0, count: 512)
        let selector = UInt64(code.selector) << 16
        gates[29 * 2] =
            vcHandler & 0xffff | selector | 0x8e01 << 32 | (vcHandler >> 16 & 0xffff) << 48
        gates[29 * 2 + 1] = vcHandler >> 32
        return gates
    }
}
