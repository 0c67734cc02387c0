/// Where the debug stub lies in a VM, and what limits it there.
package struct DebugStub: Sendable, Equatable {
    /// The code of its handlers: an exception inside would be lost, so no breakpoint goes there.
    package var handlers: Range<UInt64>
    /// The VMGEXIT of its #VC handler.
    package var vmgexit: GuestVirtualAddress
    /// The root of the page tables of the launch, which map all RAM to itself.
    package var tables: UInt64
    /// Where the guest's code seems to load an IDT of its own, behind which the stub has no say.
    package var idtLoads: [GuestVirtualAddress]

    package init(
        handlers: Range<UInt64>, vmgexit: GuestVirtualAddress, tables: UInt64,
        idtLoads: [GuestVirtualAddress]
    ) {
        self.handlers = handlers
        self.vmgexit = vmgexit
        self.tables = tables
        self.idtLoads = idtLoads
    }

    /// An NMI reaches the stub for certain: the guest cannot have put another IDT in its place.
    package var ownsIDT: Bool { idtLoads.isEmpty }
}

/// LIDT, by its bytes: 0F 01 with /3 and a memory operand (APM volume 3, LIDT).
enum LoadIDT {
    /// Where the bytes are found; data may look like it.
    static func places(in bytes: [UInt8]) -> [Int] {
        guard bytes.count >= 3 else { return [] }
        return (0..<bytes.count - 2).filter { starts(bytes[$0...]) }
    }

    /// Whether an opcode is LIDT's; prefixes come before it.
    static func starts(_ opcode: ArraySlice<UInt8>) -> Bool {
        let bytes = opcode.prefix(3)
        guard bytes.count == 3, bytes.starts(with: [0x0f, 0x01]), let mode = bytes.last else {
            return false
        }
        return mode >> 3 & 7 == 3 && mode >> 6 != 3
    }
}
