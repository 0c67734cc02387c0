/// Bits of CR0 (APM volume 2, 3.1.1).
enum CR0 {
    static let protection: UInt64 = 1
    static let monitor: UInt64 = 2
    static let emulation: UInt64 = 4
    static let taskSwitched: UInt64 = 8
    static let extensionType: UInt64 = 0x10
    static let writeProtect: UInt64 = 1 << 16
    static let alignmentMask: UInt64 = 1 << 18
    static let notWriteThrough: UInt64 = 1 << 29
    static let cacheDisable: UInt64 = 1 << 30
    static let paging: UInt64 = 1 << 31
    /// PG CD NW AM WP NE ET TS EM MP PE; the other low bits are ignored when written.
    static let defined: UInt64 = 0xe005_003f
}

/// Bits of CR4 (APM volume 2, 3.1.3).
enum CR4 {
    static let timeStampDisable: UInt64 = 4
    static let debugExtensions: UInt64 = 8
    static let physicalAddressExtension: UInt64 = 0x20
    static let performanceCounters: UInt64 = 0x100
    static let fsgsbase: UInt64 = 1 << 16
    static let osxsave: UInt64 = 1 << 18
    static let smep: UInt64 = 1 << 20
    static let smap: UInt64 = 1 << 21
    /// TSD…OSXMMEXCPT, FSGSBASE, OSXSAVE, SMEP, SMAP; setting another bit is a #GP.
    ///
    /// VME, PVI, UMIP, LA57, PCIDE, PKE and CET are not offered.
    static let offered: UInt64 = 0x7fc | fsgsbase | osxsave | smep | smap
}

/// Bits of EFER (APM volume 2, 3.1.7).
enum Efer {
    static let systemCallExtensions: UInt64 = 1
    static let longModeEnable: UInt64 = 1 << 8
    static let longModeActive: UInt64 = 1 << 10
    static let noExecuteEnable: UInt64 = 1 << 11
    static let secureVirtualMachine: UInt64 = 1 << 12
    /// SCE LME LMA NXE SVME; LMSLE, FFXSR and TCE are not offered.
    static let offered =
        systemCallExtensions | longModeEnable | longModeActive | noExecuteEnable
        | secureVirtualMachine
}

/// Bits of RFLAGS that system instructions and events deal with (APM volume 2, 3.1.6).
enum FlagBits {
    static let zero: UInt64 = 1 << 6
    static let trap: UInt64 = 1 << 8
    static let interrupt: UInt64 = 1 << 9
    static let privilegeLevel: UInt64 = 3 << 12
    static let nestedTask: UInt64 = 1 << 14
    static let resume: UInt64 = 1 << 16
    static let virtual8086: UInt64 = 1 << 17
    static let alignmentCheck: UInt64 = 1 << 18
    static let virtualInterrupt: UInt64 = 1 << 19
    static let virtualInterruptPending: UInt64 = 1 << 20
    /// Every bit that can be set: bit 1 is always one, the others here are free.
    static let defined: UInt64 = 0x3f_7fd5
    static let alwaysOne: UInt64 = 2
}

/// Exit codes that #VC has as its error code (REFERENCE 3e and 8e).
enum InterceptCode {
    static let readDR7: UInt64 = 0x27
    static let writeDR7: UInt64 = 0x37
    static let rdpmc: UInt64 = 0x6f
    static let cpuid: UInt64 = 0x72
    static let rsm: UInt64 = 0x73
    static let invd: UInt64 = 0x76
    static let invlpga: UInt64 = 0x7a
    static let ioio: UInt64 = 0x7b
    static let msr: UInt64 = 0x7c
    static let vmrun: UInt64 = 0x80
    static let vmmcall: UInt64 = 0x81
    static let vmload: UInt64 = 0x82
    static let vmsave: UInt64 = 0x83
    static let stgi: UInt64 = 0x84
    static let clgi: UInt64 = 0x85
    static let skinit: UInt64 = 0x86
    static let wbinvd: UInt64 = 0x89
    static let monitor: UInt64 = 0x8a
    static let mwait: UInt64 = 0x8b
    static let rdpru: UInt64 = 0x8e
    static let nestedPageFault: UInt64 = 0x400

    /// An intercepted exception.
    static func exception(_ vector: UInt64) -> UInt64 { 0x40 + vector }
}
