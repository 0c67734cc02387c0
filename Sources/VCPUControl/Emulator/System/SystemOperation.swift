internal import CZydis

/// Instructions of the operating system: everything privileged, intercepted or concerned with events.
///
/// Operands, as the decoder leaves them in an `Instruction`:
/// - MOV, PUSH and POP are system instructions where an operand is a segment, control or debug
///   register: its number is that of the register plus `Instruction.segmentRegisters` and so on;
/// - `width` is the size of the first operand, so MOV to a segment register has 2 and a far JMP or
///   CALL the offset's plus 2; PUSH and POP of FS and GS, far RET, IRET and SYSRET have the
///   operand size of the instruction;
/// - IN and OUT: the form has an immediate where the port is one; `width` is that of the data, as
///   it is for INS and OUTS.
enum SystemOperation: UInt16 {
    // Registers of the system.
    case move, clts, lmsw, smsw
    case pushSegment, popSegment, lss, lfs, lgs
    case lgdt, lidt, sgdt, sidt, lldt, sldt, ltr, str
    case lar, lsl, verr, verw
    case rdfsbase, wrfsbase, rdgsbase, wrgsbase, swapgs
    case rdmsr, wrmsr, rdtsc, rdtscp, rdpid, xgetbv, xsetbv
    case cli, sti, clac, stac
    case invlpg
    // Transfers of control.
    case farJump, farCall, farReturn, interruptReturn
    case syscall, sysret
    case int, int3, int1, hlt
    // Intercepted.
    case cpuid, rdpmc, invd, wbinvd, monitor, mwait, rdpru, rsm
    case input, output, inputString, outputString
    case vmmcall, vmrun, vmload, vmsave, stgi, clgi, skinit, invlpga
    /// Instructions that this processor does not offer, or that AMD has not in long mode: #UD.
    case undefined

    /// `nil` where the mnemonic is no system instruction.
    ///
    /// MOV, PUSH, POP, JMP, CALL and RET are some only with a system register or as far branches,
    /// which the caller knows.
    init?(mnemonic: ZydisMnemonic) {
        guard let operation = Self.table[mnemonic.rawValue] else { return nil }
        self = operation
    }

    private static let table: [UInt32: SystemOperation] = {
        let pairs: [(ZydisMnemonic, SystemOperation)] = [
            (ZYDIS_MNEMONIC_MOV, .move), (ZYDIS_MNEMONIC_PUSH, .pushSegment),
            (ZYDIS_MNEMONIC_POP, .popSegment), (ZYDIS_MNEMONIC_JMP, .farJump),
            (ZYDIS_MNEMONIC_CALL, .farCall), (ZYDIS_MNEMONIC_RET, .farReturn),
            (ZYDIS_MNEMONIC_CLTS, .clts), (ZYDIS_MNEMONIC_LMSW, .lmsw),
            (ZYDIS_MNEMONIC_SMSW, .smsw), (ZYDIS_MNEMONIC_LSS, .lss),
            (ZYDIS_MNEMONIC_LFS, .lfs), (ZYDIS_MNEMONIC_LGS, .lgs),
            (ZYDIS_MNEMONIC_LGDT, .lgdt), (ZYDIS_MNEMONIC_LIDT, .lidt),
            (ZYDIS_MNEMONIC_SGDT, .sgdt), (ZYDIS_MNEMONIC_SIDT, .sidt),
            (ZYDIS_MNEMONIC_LLDT, .lldt), (ZYDIS_MNEMONIC_SLDT, .sldt),
            (ZYDIS_MNEMONIC_LTR, .ltr), (ZYDIS_MNEMONIC_STR, .str),
            (ZYDIS_MNEMONIC_LAR, .lar), (ZYDIS_MNEMONIC_LSL, .lsl),
            (ZYDIS_MNEMONIC_VERR, .verr), (ZYDIS_MNEMONIC_VERW, .verw),
            (ZYDIS_MNEMONIC_RDFSBASE, .rdfsbase), (ZYDIS_MNEMONIC_WRFSBASE, .wrfsbase),
            (ZYDIS_MNEMONIC_RDGSBASE, .rdgsbase), (ZYDIS_MNEMONIC_WRGSBASE, .wrgsbase),
            (ZYDIS_MNEMONIC_SWAPGS, .swapgs), (ZYDIS_MNEMONIC_RDMSR, .rdmsr),
            (ZYDIS_MNEMONIC_WRMSR, .wrmsr), (ZYDIS_MNEMONIC_RDTSC, .rdtsc),
            (ZYDIS_MNEMONIC_RDTSCP, .rdtscp), (ZYDIS_MNEMONIC_RDPID, .rdpid),
            (ZYDIS_MNEMONIC_XGETBV, .xgetbv), (ZYDIS_MNEMONIC_XSETBV, .xsetbv),
            (ZYDIS_MNEMONIC_CLI, .cli), (ZYDIS_MNEMONIC_STI, .sti),
            (ZYDIS_MNEMONIC_CLAC, .clac), (ZYDIS_MNEMONIC_STAC, .stac),
            (ZYDIS_MNEMONIC_INVLPG, .invlpg), (ZYDIS_MNEMONIC_IRET, .interruptReturn),
            (ZYDIS_MNEMONIC_IRETD, .interruptReturn), (ZYDIS_MNEMONIC_IRETQ, .interruptReturn),
            (ZYDIS_MNEMONIC_SYSCALL, .syscall), (ZYDIS_MNEMONIC_SYSRET, .sysret),
            (ZYDIS_MNEMONIC_INT, .int), (ZYDIS_MNEMONIC_INT3, .int3),
            (ZYDIS_MNEMONIC_INT1, .int1), (ZYDIS_MNEMONIC_HLT, .hlt),
            (ZYDIS_MNEMONIC_CPUID, .cpuid), (ZYDIS_MNEMONIC_RDPMC, .rdpmc),
            (ZYDIS_MNEMONIC_INVD, .invd), (ZYDIS_MNEMONIC_WBINVD, .wbinvd),
            (ZYDIS_MNEMONIC_MONITOR, .monitor), (ZYDIS_MNEMONIC_MWAIT, .mwait),
            (ZYDIS_MNEMONIC_RDPRU, .rdpru), (ZYDIS_MNEMONIC_RSM, .rsm),
            (ZYDIS_MNEMONIC_IN, .input), (ZYDIS_MNEMONIC_OUT, .output),
            (ZYDIS_MNEMONIC_INSB, .inputString), (ZYDIS_MNEMONIC_INSW, .inputString),
            (ZYDIS_MNEMONIC_INSD, .inputString), (ZYDIS_MNEMONIC_OUTSB, .outputString),
            (ZYDIS_MNEMONIC_OUTSW, .outputString), (ZYDIS_MNEMONIC_OUTSD, .outputString),
            (ZYDIS_MNEMONIC_VMMCALL, .vmmcall), (ZYDIS_MNEMONIC_VMRUN, .vmrun),
            (ZYDIS_MNEMONIC_VMLOAD, .vmload), (ZYDIS_MNEMONIC_VMSAVE, .vmsave),
            (ZYDIS_MNEMONIC_STGI, .stgi), (ZYDIS_MNEMONIC_CLGI, .clgi),
            (ZYDIS_MNEMONIC_SKINIT, .skinit), (ZYDIS_MNEMONIC_INVLPGA, .invlpga),
        ]
        let undefined = [
            ZYDIS_MNEMONIC_SYSENTER, ZYDIS_MNEMONIC_SYSEXIT, ZYDIS_MNEMONIC_INVPCID,
            ZYDIS_MNEMONIC_INVLPGB, ZYDIS_MNEMONIC_TLBSYNC, ZYDIS_MNEMONIC_MONITORX,
            ZYDIS_MNEMONIC_MWAITX, ZYDIS_MNEMONIC_MCOMMIT, ZYDIS_MNEMONIC_VMCALL,
            ZYDIS_MNEMONIC_PVALIDATE, ZYDIS_MNEMONIC_RMPADJUST, ZYDIS_MNEMONIC_RMPUPDATE,
            ZYDIS_MNEMONIC_PSMASH,
        ]
        return Dictionary(
            uniqueKeysWithValues: pairs.map { ($0.rawValue, $1) }
                + undefined.map { ($0.rawValue, .undefined) })
    }()
}
