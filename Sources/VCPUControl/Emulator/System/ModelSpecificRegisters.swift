/// The MSRs that a guest reaches without an exit (REFERENCE 8e) and that are not in `SystemRegisters`.
struct ModelSpecificRegisters {
    var star: UInt64 = 0
    var lstar: UInt64 = 0
    var cstar: UInt64 = 0
    var sfmask: UInt64 = 0
    var kernelGSBase: UInt64 = 0
    var tscAux: UInt64 = 0
    var sysenterCS: UInt64 = 0
    var sysenterESP: UInt64 = 0
    var sysenterEIP: UInt64 = 0
    var debugControl: UInt64 = 0
    /// The reset value of APM volume 2, 7.8.1.
    var pageAttributes: UInt64 = 0x0007_0406_0007_0406
}

/// The numbers of the MSRs that are not intercepted.
private enum MSR {
    static let sysenterCS: UInt32 = 0x174
    static let sysenterESP: UInt32 = 0x175
    static let sysenterEIP: UInt32 = 0x176
    static let debugControl: UInt32 = 0x1d9
    static let pageAttributes: UInt32 = 0x277
    static let extendedSupervisorState: UInt32 = 0xda0
    static let efer: UInt32 = 0xc000_0080
    static let star: UInt32 = 0xc000_0081
    static let lstar: UInt32 = 0xc000_0082
    static let cstar: UInt32 = 0xc000_0083
    static let sfmask: UInt32 = 0xc000_0084
    static let fsBase: UInt32 = 0xc000_0100
    static let gsBase: UInt32 = 0xc000_0101
    static let kernelGSBase: UInt32 = 0xc000_0102
    static let tscAux: UInt32 = 0xc000_0103
    static let ghcb = GHCBMSR.index
    static let sevStatus: UInt32 = 0xc001_0131
}

/// RDMSR and WRMSR: native for the MSRs above, #VC for all others, unknown ones too.
extension EmulatedVCPU {
    mutating func modelSpecificRegister(isWrite: Bool) throws(Fault) {
        let number = UInt32(truncatingIfNeeded: gpr[1])
        if isWrite {
            try writeMSR(number, edxEAX)
        } else {
            edxEAX = try readMSR(number)
        }
    }

    private func readMSR(_ number: UInt32) throws(Fault) -> UInt64 {
        switch number {
        case MSR.sysenterCS: msrs.sysenterCS
        case MSR.sysenterESP: msrs.sysenterESP
        case MSR.sysenterEIP: msrs.sysenterEIP
        case MSR.debugControl: msrs.debugControl
        case MSR.pageAttributes: msrs.pageAttributes
        case MSR.extendedSupervisorState: 0
        case MSR.efer: system.efer
        case MSR.star: msrs.star
        case MSR.lstar: msrs.lstar
        case MSR.cstar: msrs.cstar
        case MSR.sfmask: msrs.sfmask
        case MSR.fsBase: system.fs.base
        case MSR.gsBase: system.gs.base
        case MSR.kernelGSBase: msrs.kernelGSBase
        case MSR.tscAux: msrs.tscAux
        case MSR.ghcb: system.ghcb
        case MSR.sevStatus: 3  // SEV and SEV-ES: REFERENCE 8a
        default: throw .vmmCommunication(InterceptCode.msr)
        }
    }

    private mutating func writeMSR(_ number: UInt32, _ value: UInt64) throws(Fault) {
        let low = value & 0xffff_ffff
        switch number {
        case MSR.sysenterCS: msrs.sysenterCS = low
        // AMD ignores the upper halves: there is no SYSENTER in long mode.
        case MSR.sysenterESP: msrs.sysenterESP = low
        case MSR.sysenterEIP: msrs.sysenterEIP = low
        case MSR.debugControl: try setDebugControl(value)
        case MSR.pageAttributes: try setPageAttributes(value)
        case MSR.extendedSupervisorState:
            guard value == 0 else { throw .generalProtection() }
        case MSR.efer: try setEFER(value)
        case MSR.star: msrs.star = value
        case MSR.lstar: msrs.lstar = try canonical(value)
        case MSR.cstar: msrs.cstar = try canonical(value)
        case MSR.sfmask: msrs.sfmask = low
        case MSR.fsBase: system.fs.base = try canonical(value)
        case MSR.gsBase: system.gs.base = try canonical(value)
        case MSR.kernelGSBase: msrs.kernelGSBase = try canonical(value)
        case MSR.tscAux: msrs.tscAux = low
        case MSR.ghcb:
            system.ghcb = value
            events.watch(.ghcbMSRWrite(rip: rip, value: value))
        case MSR.sevStatus: throw .generalProtection()
        default: throw .vmmCommunication(InterceptCode.msr)
        }
    }

    /// LME cannot change while paging is on; LMA is the processor's.
    private mutating func setEFER(_ value: UInt64) throws(Fault) {
        let changed = value ^ system.efer
        guard value & ~Efer.offered == 0, changed & Efer.longModeEnable == 0 else {
            throw .generalProtection()
        }
        system.efer = value & ~Efer.longModeActive | system.efer & Efer.longModeActive
        memory.flush()
    }

    /// Each byte is a memory type that exists: 0, 1, 4, 5, 6 or 7.
    private mutating func setPageAttributes(_ value: UInt64) throws(Fault) {
        for index in 0..<8 as Range<UInt64> {
            let type = value >> (index * 8) & 0xff
            guard type < 8, type != 2, type != 3 else { throw .generalProtection() }
        }
        msrs.pageAttributes = value
    }

    /// Branch tracing is accepted without effect; BTF would change single steps: not emulated.
    private mutating func setDebugControl(_ value: UInt64) throws(Fault) {
        guard value & ~0x3f == 0 else { throw .generalProtection() }
        guard value & 2 == 0 else { throw .unimplemented }
        msrs.debugControl = value
    }
}
