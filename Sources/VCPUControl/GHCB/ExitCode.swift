/// The reason of a VMEXIT, which is also the event that a GHCB asks for and #VC's error code.
///
/// Any 64-bit value is an exit code; `name` is `nil` for those that no specification knows.
/// APM volume 2, appendix C, and the GHCB specification's table of NAE events; REFERENCE 3a, 3f.
package struct ExitCode: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static let readDR7 = ExitCode(0x27)
    package static let writeDR7 = ExitCode(0x37)
    package static let rdtsc = ExitCode(0x6e)
    package static let rdpmc = ExitCode(0x6f)
    package static let cpuid = ExitCode(0x72)
    package static let invd = ExitCode(0x76)
    package static let ioio = ExitCode(0x7b)
    package static let msr = ExitCode(0x7c)
    package static let vmmcall = ExitCode(0x81)
    package static let rdtscp = ExitCode(0x87)
    package static let wbinvd = ExitCode(0x89)
    package static let monitor = ExitCode(0x8a)
    package static let mwait = ExitCode(0x8b)
    package static let mmioRead = ExitCode(0x8000_0001)
    package static let mmioWrite = ExitCode(0x8000_0002)
    package static let nmiComplete = ExitCode(0x8000_0003)
    package static let apResetHold = ExitCode(0x8000_0004)
    package static let apJumpTable = ExitCode(0x8000_0005)
    package static let psc = ExitCode(0x8000_0010)
    package static let guestRequest = ExitCode(0x8000_0011)
    package static let extendedGuestRequest = ExitCode(0x8000_0012)
    package static let apCreation = ExitCode(0x8000_0013)
    package static let hvDoorbellPage = ExitCode(0x8000_0014)
    package static let hvIPI = ExitCode(0x8000_0015)
    package static let hvTimer = ExitCode(0x8000_0016)
    package static let apicIDList = ExitCode(0x8000_0017)
    package static let runVMPL = ExitCode(0x8000_0018)
    package static let secureAVIC = ExitCode(0x8000_001a)
    package static let configureInterruptInjection = ExitCode(0x8000_001b)
    package static let disableAlternateInjection = ExitCode(0x8000_001c)
    package static let specificEOI = ExitCode(0x8000_001d)
    package static let tioGuestRequest = ExitCode(0x8000_0020)
    package static let tioOperation = ExitCode(0x8000_0021)
    package static let hvFeatures = ExitCode(0x8000_fffd)
    package static let termination = ExitCode(0x8000_fffe)
    package static let unsupported = ExitCode(0x8000_ffff)

    /// The name in the specification; `nil` for a code that none knows.
    package var name: String? { Self.names[self] }

    /// Finds a code by its name or a usual alias of it, in upper or lower case.
    package init?(named name: String) {
        let name = name.uppercased()
        guard let code = Self.codes[Self.aliases[name] ?? name] else { return nil }
        self = code
    }

    /// A code with its name.
    package typealias Entry = (code: ExitCode, name: String)

    /// Every named code with its name, in ascending order.
    package static let table: [Entry] =
        ranges + intercepts + softwareEvents + failures

    private static let names = Dictionary(
        table.map { ($0.code, $0.name) }, uniquingKeysWith: { first, _ in first })
    private static let codes = Dictionary(
        table.map { ($0.name, $0.code) }, uniquingKeysWith: { first, _ in first })

    /// Names that Linux and the specification's prose use besides.
    private static let aliases = [
        "DR7_READ": "READ_DR7", "DR7_WRITE": "WRITE_DR7", "AP_HLT_LOOP": "AP_RESET_HOLD",
        "SNP_RUN_VMPL": "RUN_VMPL", "TERM_REQUEST": "TERMINATION", "TERMINATE": "TERMINATION",
        "UNSUPPORTED_EVENT": "UNSUPPORTED", "EXT_REQUEST": "EXT_GUEST_REQUEST",
        "PAGE_STATE_CHANGE": "PSC", "SAVIC": "SECURE_AVIC", "ERR": "INVALID",
    ]
}

// MARK: - Names

extension ExitCode {
    /// Codes 0x00…0x5f: control and debug registers, exception vectors.
    private static let ranges: [Entry] = [
        numbered(from: 0x00, "READ_CR"), numbered(from: 0x10, "WRITE_CR"),
        numbered(from: 0x20, "READ_DR"), numbered(from: 0x30, "WRITE_DR"), exceptions,
    ].flatMap(\.self)

    private static let exceptions: [Entry] = (0..<32).map { (number: UInt8) -> Entry in
        let mnemonic = ExceptionVector(rawValue: number).mnemonic
        return (ExitCode(0x40 + UInt64(number)), "EXCP_" + (mnemonic ?? String(number)))
    }

    /// Codes 0x60…0x406; A0, A1, A3, A5, A6, 404 and 406 are in the APM only, MCOMMIT unconfirmed.
    private static let intercepts: [Entry] = [
        consecutive(
            from: 0x60,
            "INTR NMI SMI INIT VINTR CR0_SEL_WRITE IDTR_READ GDTR_READ LDTR_READ TR_READ",
            "IDTR_WRITE GDTR_WRITE LDTR_WRITE TR_WRITE RDTSC RDPMC PUSHF POPF CPUID RSM IRET",
            "SWINT INVD PAUSE HLT INVLPG INVLPGA IOIO MSR TASK_SWITCH FERR_FREEZE SHUTDOWN",
            "VMRUN VMMCALL VMLOAD VMSAVE STGI CLGI SKINIT RDTSCP ICEBP WBINVD MONITOR MWAIT",
            "MWAIT_COND XSETBV RDPRU EFER_WRITE_TRAP"),
        numbered(from: 0x90, "CR", "_WRITE_TRAP"),
        consecutive(from: 0xa0, "INVLPGB ILLEGAL_INVLPGB INVPCID MCOMMIT"),
        consecutive(from: 0xa5, "BUSLOCK IDLE_HLT"),
        consecutive(from: 0x400, "NPF AVIC_INCOMPLETE_IPI AVIC_UNACCELERATED_ACCESS VMGEXIT"),
        consecutive(from: 0x404, "PAGE_NOT_VALIDATED"),
        consecutive(from: 0x406, "NOT_RESTARTABLE"),
    ].flatMap(\.self)

    /// Codes from 0x80000001 on, which only software uses; REFERENCE 3a.
    private static let softwareEvents: [Entry] = [
        (.mmioRead, "MMIO_READ"),
        (.mmioWrite, "MMIO_WRITE"),
        (.nmiComplete, "NMI_COMPLETE"),
        (.apResetHold, "AP_RESET_HOLD"),
        (.apJumpTable, "AP_JUMP_TABLE"),
        (.psc, "PSC"),
        (.guestRequest, "GUEST_REQUEST"),
        (.extendedGuestRequest, "EXT_GUEST_REQUEST"),
        (.apCreation, "AP_CREATION"),
        (.hvDoorbellPage, "HV_DOORBELL_PAGE"),
        (.hvIPI, "HV_IPI"),
        (.hvTimer, "HV_TIMER"),
        (.apicIDList, "APIC_ID_LIST"),
        (.runVMPL, "RUN_VMPL"),
        (.secureAVIC, "SECURE_AVIC"),
        (.configureInterruptInjection, "CONFIGURE_INTERRUPT_INJECTION"),
        (.disableAlternateInjection, "DISABLE_ALTERNATE_INJECTION"),
        (.specificEOI, "SPECIFIC_EOI"),
        // Names of the SEV-TIO patches, unconfirmed.
        (.tioGuestRequest, "SEV_TIO_GUEST_REQUEST"),
        (.tioOperation, "SEV_TIO_OP"),
        (.hvFeatures, "HV_FEATURES"),
        (.termination, "TERMINATION"),
        (.unsupported, "UNSUPPORTED"),
    ]

    /// What VMRUN itself fails with, -4…-1.
    private static let failures: [Entry] =
        consecutive(from: 0 &- 4, "INVALID_PMC IDLE_REQUIRED BUSY INVALID")

    private static func consecutive(from first: UInt64, _ lines: String...) -> [Entry] {
        lines.flatMap { $0.split(separator: " ") }.enumerated().map { position, name in
            (ExitCode(first &+ UInt64(position)), String(name))
        }
    }

    private static func numbered(
        from first: UInt64, _ prefix: String, _ suffix: String = ""
    ) -> [Entry] {
        (0..<16).map { (ExitCode(first + $0), prefix + String($0) + suffix) }
    }
}
