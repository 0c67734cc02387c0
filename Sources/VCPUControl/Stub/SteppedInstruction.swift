/// What a host has to know of an instruction before it is stepped with RFLAGS.TF (APM volume 3).
enum SteppedInstruction: Sendable, Equatable {
    case ordinary
    /// PUSHF: what it pushes has TF, which is not the guest's.
    case pushFlags
    /// POPF and IRET load a TF that is the guest's own.
    case loadsFlags
    /// SYSCALL copies the flags, TF included, to R11.
    case systemCall
    /// VMGEXIT, of so many bytes: an automatic exit, behind which no trap is promised.
    case vmgexit(length: Int)
    /// LIDT: the trap would arrive through the new IDT.
    case loadsIDT

    /// Takes the bytes at RIP, as many as there are; unknown instructions are ordinary ones.
    init(_ bytes: [UInt8]) {
        var opcode = bytes[...]
        while let prefix = opcode.first, Self.isPrefix(prefix) { opcode = opcode.dropFirst() }
        let repeats = bytes.prefix(bytes.count - opcode.count).contains(0xf3)
        switch (opcode.first, opcode.dropFirst().first, opcode.dropFirst(2).first) {
        case (0x9c, _, _): self = .pushFlags
        case (0x9d, _, _), (0xcf, _, _): self = .loadsFlags
        case (0x0f, 0x05, _): self = .systemCall
        case (0x0f, 0x01, 0xd9) where repeats:
            self = .vmgexit(length: bytes.count - opcode.count + 3)
        default: self = LoadIDT.starts(opcode) ? .loadsIDT : .ordinary
        }
    }

    /// Legacy prefixes, and REX.
    private static func isPrefix(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x26, 0x2e, 0x36, 0x3e, 0x40...0x4f, 0x64...0x67, 0xf0, 0xf2, 0xf3: true
        default: false
        }
    }
}
