internal import CKVM

/// What the debug stub reports of a vCPU that it stopped.
package struct StubReport: Sendable, Equatable {
    package enum Reason: Sendable, Equatable {
        /// Before the vCPU's first instruction.
        case entry
        /// Behind one instruction.
        case step
        /// Behind an INT3.
        case breakpoint
        /// For an NMI.
        case interrupt
        /// Behind a #VC, as the host wished.
        case requested
        /// A guest wrote over it.
        case unknown(UInt32)
    }

    package var reason: Reason
    package var registers: RegisterFile
    /// The hidden parts of segments are what LAR tells; limits and the bases of TR and LDTR are not known.
    package var system: SystemRegisters
    /// MSR_LSTAR: where SYSCALL leads.
    package var systemCallEntry: UInt64
    /// The first bytes at RIP, as many as could be read: none, 8 or 16.
    package var code: [UInt8]

    init(_ page: LittleEndianBytes) {
        switch Int32(truncatingIfNeeded: page.word(MAILBOX_STOP)) {
        case STOP_ENTRY: reason = .entry
        case STOP_STEP: reason = .step
        case STOP_BREAKPOINT: reason = .breakpoint
        case STOP_INTERRUPT: reason = .interrupt
        case STOP_REQUESTED: reason = .requested
        case let other: reason = .unknown(UInt32(bitPattern: other))
        }
        registers = Self.registers(page)
        system = Self.system(page)
        systemCallEntry = page.quad(MAILBOX_LSTAR)
        let count = min(page.quad(MAILBOX_CODE_SIZE), 16)
        code = page.slice(at: UInt64(MAILBOX_CODE), count: count).map(Array.init) ?? []
    }

    /// Distances in the frame of handler.h.
    private static let ripOffset: Int32 = 0x88
    private static let rflagsOffset: Int32 = 0x98

    private static func registers(_ page: LittleEndianBytes) -> RegisterFile {
        var file = RegisterFile()
        for register in Register.allCases { file[register] = page.quad(offset(of: register)) }
        return file
    }

    private static func offset(of register: Register) -> Int32 {
        switch register {
        case .rip: MAILBOX_FRAME + ripOffset
        case .rflags: MAILBOX_FRAME + rflagsOffset
        default: MAILBOX_FRAME + 8 * Int32(register.rawValue)
        }
    }

    /// The bytes that set all registers, with their distance from the mailbox.
    var registerWrites: [(offset: UInt64, bytes: [UInt8])] {
        Register.allCases.map {
            (UInt64(Self.offset(of: $0)), registers[$0].littleEndianBytes)
        }
    }

    private static func system(_ page: LittleEndianBytes) -> SystemRegisters {
        var system = SystemRegisters()
        (system.cr0, system.cr2) = (page.quad(MAILBOX_CR0), page.quad(MAILBOX_CR2))
        (system.cr3, system.cr4) = (page.quad(MAILBOX_CR3), page.quad(MAILBOX_CR4))
        (system.cr8, system.efer) = (page.quad(MAILBOX_CR8), page.quad(MAILBOX_EFER))
        (system.dr6, system.dr7) = (page.quad(MAILBOX_DR6), page.quad(MAILBOX_DR7))
        (system.xcr0, system.ghcb) = (page.quad(MAILBOX_XCR0), page.quad(MAILBOX_GHCB))
        system.gdtr = table(page, MAILBOX_GDTR)
        system.idtr = table(page, MAILBOX_IDTR)
        (system.es, system.cs) = (segment(page, 0), segment(page, 1))
        (system.ss, system.ds) = (segment(page, 2), segment(page, 3))
        (system.fs, system.gs) = (segment(page, 4), segment(page, 5))
        system.fs.base = page.quad(MAILBOX_FS_BASE)
        system.gs.base = page.quad(MAILBOX_GS_BASE)
        system.ldtr.selector = page.half(MAILBOX_SELECTORS + 12)
        system.tr.selector = page.half(MAILBOX_SELECTORS + 14)
        // The privilege level is SS's, whose descriptor may be null: the frame's CS has it too.
        let level = (system.cs.selector & 3) << 5
        system.ss.attributes = system.ss.attributes & ~0x60 | level
        return system
    }

    private static func table(_ page: LittleEndianBytes, _ offset: Int32) -> DescriptorTable {
        DescriptorTable(base: page.quad(offset + 2), limit: page.half(offset))
    }

    private static func segment(_ page: LittleEndianBytes, _ number: Int32) -> Segment {
        let rights = page.word(MAILBOX_RIGHTS + 4 * number)
        return Segment(
            selector: page.half(MAILBOX_SELECTORS + 2 * number),
            attributes: UInt16(rights >> 8 & 0xff | (rights >> 20 & 0xf) << 8))
    }
}
