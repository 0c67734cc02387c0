/// What a host has to know of an instruction before it is stepped (APM volume 3).
///
/// A trap of RFLAGS.TF ends most steps. Where TF would show in what the guest sees, would be lost, or
/// is not promised to work, an INT3 at the place where the instruction leads ends it.
enum SteppedInstruction: Sendable, Equatable {
    case ordinary
    /// It leads to the next one, so many bytes on: PUSHF and POPF, which move TF itself, and MOV to
    /// SS, behind which no trap comes.
    case linear(length: Int)
    /// VMGEXIT, of so many bytes: an automatic exit, behind which no trap is promised.
    case vmgexit(length: Int)
    /// SYSCALL copies TF to R11, and may mask it.
    case systemCall
    /// IRETQ takes TF from the stack, with its target.
    case interruptReturn
    /// LIDT: the trap would arrive through the new IDT.
    case loadsIDT

    /// Takes the bytes at RIP, as many as there are; unknown instructions are ordinary ones.
    init(_ bytes: [UInt8]) {
        var opcode = bytes[...]
        while let prefix = opcode.first, Self.isPrefix(prefix) { opcode = opcode.dropFirst() }
        let prefixes = bytes.prefix(bytes.count - opcode.count)
        let second = opcode.dropFirst().first ?? 0
        switch opcode.first {
        case 0x9c, 0x9d: self = .linear(length: prefixes.count + 1)
        case 0x8e where second >> 3 == 0x1a: self = .linear(length: prefixes.count + 2)
        case 0xcf where prefixes.last.map { $0 & 0xf8 == 0x48 } == true: self = .interruptReturn
        case 0x0f where second == 0x05: self = .systemCall
        case 0x0f where opcode.dropFirst(2).first == 0xd9 && second == 1 && prefixes.contains(0xf3):
            self = .vmgexit(length: prefixes.count + 3)
        default: self = LoadIDT.starts(opcode) ? .loadsIDT : .ordinary
        }
    }

    /// Legacy prefixes, and REX.
    static func isPrefix(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x26, 0x2e, 0x36, 0x3e, 0x40...0x4f, 0x64...0x67, 0xf0, 0xf2, 0xf3: true
        default: false
        }
    }
}
