import CZydis

/// What the host must not execute, or answers in its own way.
enum FuzzExclusions {
    /// Calls into the kernel or hypervisor, what depends on the host, and what changes segments.
    private static let mnemonics: Set<String> = [
        "syscall", "sysenter", "sysexit", "sysret", "int", "int1", "int3", "into", "iret", "iretd",
        "iretq", "vmcall", "vmmcall", "vmfunc", "cpuid", "rdtsc", "rdtscp", "rdpmc", "rdpru",
        "rdpid", "rdrand", "rdseed", "xgetbv", "rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase",
        "umonitor", "umwait", "tpause", "monitorx", "mwaitx", "sgdt", "sidt", "sldt", "smsw", "str",
        "lar", "lsl", "verr", "verw", "lfs", "lgs", "lss", "invpcid", "rsm", "getsec", "encls",
        "enclu", "enclv", "xbegin", "xend", "xabort", "xtest", "pconfig", "rdpkru", "wrpkru",
        "clzero", "serialize", "enqcmd", "xsaveopt", "xsaveopt64",
        // What they hold to be in use differs between processors.
        "xsavec", "xsavec64", "xsaves", "xsaves64", "xrstors", "xrstors64",
    ]

    private static let table: [Bool] = (0...Int(ZYDIS_MNEMONIC_MAX_VALUE.rawValue)).map { raw in
        guard let text = unsafe ZydisMnemonicGetString(ZydisMnemonic(UInt32(raw))) else {
            return true
        }
        return mnemonics.contains(unsafe String(cString: text))
    }

    static func contains(_ instruction: FuzzInstruction) -> Bool {
        let (acquireRelease, operandSize): (UInt64, UInt64) = (3 << 32, 1 << 43)
        if table[Int(instruction.mnemonic.rawValue)] { return true }
        if instruction.branch == ZYDIS_BRANCH_TYPE_FAR || instruction.isOnlyAMD { return true }
        if instruction.attributes & acquireRelease != 0 { return true }
        // With 66h, Intel's near branches ignore the prefix and AMD's cut RIP.
        if instruction.isBranch && instruction.attributes & operandSize != 0 { return true }
        return instruction.operands.contains { operand in
            writesSegment(operand) || usesThreadSegment(operand)
        }
    }

    private static func writesSegment(_ operand: ZydisDecodedOperand) -> Bool {
        operand.type == ZYDIS_OPERAND_TYPE_REGISTER
            && ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_SEGMENT
            && operand.actions & 0x0a != 0
    }

    private static func usesThreadSegment(_ operand: ZydisDecodedOperand) -> Bool {
        guard operand.type == ZYDIS_OPERAND_TYPE_MEMORY else { return false }
        let segment = operand.mem.segment
        return segment == ZYDIS_REGISTER_FS || segment == ZYDIS_REGISTER_GS
    }
}
