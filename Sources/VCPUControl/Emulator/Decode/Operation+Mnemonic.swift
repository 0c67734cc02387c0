internal import CZydis

extension Operation {
    /// The integer instruction of a mnemonic; `nil`: not core's, or known by its opcode (Jcc, …).
    init?(mnemonic: ZydisMnemonic) {
        switch mnemonic {
        case ZYDIS_MNEMONIC_ADD: self = .add
        case ZYDIS_MNEMONIC_OR: self = .or
        case ZYDIS_MNEMONIC_ADC: self = .adc
        case ZYDIS_MNEMONIC_SBB: self = .sbb
        case ZYDIS_MNEMONIC_AND: self = .and
        case ZYDIS_MNEMONIC_SUB: self = .sub
        case ZYDIS_MNEMONIC_XOR: self = .xor
        case ZYDIS_MNEMONIC_CMP: self = .cmp
        case ZYDIS_MNEMONIC_TEST: self = .test
        case ZYDIS_MNEMONIC_INC: self = .inc
        case ZYDIS_MNEMONIC_DEC: self = .dec
        case ZYDIS_MNEMONIC_NEG: self = .neg
        case ZYDIS_MNEMONIC_NOT: self = .not
        case ZYDIS_MNEMONIC_SHL: self = .shl
        case ZYDIS_MNEMONIC_SHR: self = .shr
        case ZYDIS_MNEMONIC_SAR: self = .sar
        case ZYDIS_MNEMONIC_ROL: self = .rol
        case ZYDIS_MNEMONIC_ROR: self = .ror
        case ZYDIS_MNEMONIC_RCL: self = .rcl
        case ZYDIS_MNEMONIC_RCR: self = .rcr
        case ZYDIS_MNEMONIC_SHLD: self = .shld
        case ZYDIS_MNEMONIC_SHRD: self = .shrd
        case ZYDIS_MNEMONIC_MUL: self = .mul
        case ZYDIS_MNEMONIC_IMUL: self = .imul
        case ZYDIS_MNEMONIC_DIV: self = .div
        case ZYDIS_MNEMONIC_IDIV: self = .idiv
        case ZYDIS_MNEMONIC_BT: self = .bt
        case ZYDIS_MNEMONIC_BTS: self = .bts
        case ZYDIS_MNEMONIC_BTR: self = .btr
        case ZYDIS_MNEMONIC_BTC: self = .btc
        case ZYDIS_MNEMONIC_BSF: self = .bsf
        case ZYDIS_MNEMONIC_BSR: self = .bsr
        case ZYDIS_MNEMONIC_LZCNT: self = .lzcnt
        case ZYDIS_MNEMONIC_TZCNT: self = .tzcnt
        case ZYDIS_MNEMONIC_POPCNT: self = .popcnt
        case ZYDIS_MNEMONIC_BSWAP: self = .bswap
        case ZYDIS_MNEMONIC_ANDN: self = .andn
        case ZYDIS_MNEMONIC_BEXTR: self = .bextr
        case ZYDIS_MNEMONIC_BLSI: self = .blsi
        case ZYDIS_MNEMONIC_BLSMSK: self = .blsmsk
        case ZYDIS_MNEMONIC_BLSR: self = .blsr
        case ZYDIS_MNEMONIC_BZHI: self = .bzhi
        case ZYDIS_MNEMONIC_MULX: self = .mulx
        case ZYDIS_MNEMONIC_PDEP: self = .pdep
        case ZYDIS_MNEMONIC_PEXT: self = .pext
        case ZYDIS_MNEMONIC_RORX: self = .rorx
        case ZYDIS_MNEMONIC_SARX: self = .sarx
        case ZYDIS_MNEMONIC_SHLX: self = .shlx
        case ZYDIS_MNEMONIC_SHRX: self = .shrx
        case ZYDIS_MNEMONIC_ADCX: self = .adcx
        case ZYDIS_MNEMONIC_ADOX: self = .adox
        case ZYDIS_MNEMONIC_MOV: self = .mov
        case ZYDIS_MNEMONIC_MOVZX: self = .movzx
        case ZYDIS_MNEMONIC_MOVSX, ZYDIS_MNEMONIC_MOVSXD: self = .movsx
        case ZYDIS_MNEMONIC_MOVBE: self = .movbe
        case ZYDIS_MNEMONIC_LEA: self = .lea
        case ZYDIS_MNEMONIC_XCHG: self = .xchg
        case ZYDIS_MNEMONIC_XADD: self = .xadd
        case ZYDIS_MNEMONIC_CMPXCHG: self = .cmpxchg
        case ZYDIS_MNEMONIC_CMPXCHG8B: self = .cmpxchg8b
        case ZYDIS_MNEMONIC_CMPXCHG16B: self = .cmpxchg16b
        case ZYDIS_MNEMONIC_XLAT: self = .xlat
        case ZYDIS_MNEMONIC_CBW, ZYDIS_MNEMONIC_CWDE, ZYDIS_MNEMONIC_CDQE:
            self = .extendAccumulator
        case ZYDIS_MNEMONIC_CWD, ZYDIS_MNEMONIC_CDQ, ZYDIS_MNEMONIC_CQO: self = .extendIntoData
        case ZYDIS_MNEMONIC_LAHF: self = .lahf
        case ZYDIS_MNEMONIC_SAHF: self = .sahf
        case ZYDIS_MNEMONIC_CLC: self = .clc
        case ZYDIS_MNEMONIC_STC: self = .stc
        case ZYDIS_MNEMONIC_CMC: self = .cmc
        case ZYDIS_MNEMONIC_CLD: self = .cld
        case ZYDIS_MNEMONIC_STD: self = .std
        case ZYDIS_MNEMONIC_PUSH: self = .push
        case ZYDIS_MNEMONIC_POP: self = .pop
        case ZYDIS_MNEMONIC_PUSHF, ZYDIS_MNEMONIC_PUSHFQ: self = .pushf
        case ZYDIS_MNEMONIC_POPF, ZYDIS_MNEMONIC_POPFQ: self = .popf
        case ZYDIS_MNEMONIC_ENTER: self = .enter
        case ZYDIS_MNEMONIC_LEAVE: self = .leave
        case ZYDIS_MNEMONIC_JMP: self = .jmp
        case ZYDIS_MNEMONIC_CALL: self = .call
        case ZYDIS_MNEMONIC_RET: self = .ret
        case ZYDIS_MNEMONIC_LOOP: self = .loop
        case ZYDIS_MNEMONIC_LOOPE: self = .loope
        case ZYDIS_MNEMONIC_LOOPNE: self = .loopne
        case ZYDIS_MNEMONIC_JRCXZ, ZYDIS_MNEMONIC_JECXZ: self = .jrcxz
        case ZYDIS_MNEMONIC_RDRAND, ZYDIS_MNEMONIC_RDSEED: self = .rdrand
        case ZYDIS_MNEMONIC_CLFLUSH, ZYDIS_MNEMONIC_CLFLUSHOPT, ZYDIS_MNEMONIC_CLWB:
            self = .touch
        case ZYDIS_MNEMONIC_NOP, ZYDIS_MNEMONIC_ENDBR64, ZYDIS_MNEMONIC_ENDBR32,
            ZYDIS_MNEMONIC_PREFETCH, ZYDIS_MNEMONIC_PREFETCHNTA, ZYDIS_MNEMONIC_PREFETCHT0,
            ZYDIS_MNEMONIC_PREFETCHT1, ZYDIS_MNEMONIC_PREFETCHT2, ZYDIS_MNEMONIC_PREFETCHW,
            ZYDIS_MNEMONIC_PREFETCHWT1, ZYDIS_MNEMONIC_LFENCE, ZYDIS_MNEMONIC_MFENCE,
            ZYDIS_MNEMONIC_SFENCE:
            self = .nop
        case ZYDIS_MNEMONIC_UD0, ZYDIS_MNEMONIC_UD1, ZYDIS_MNEMONIC_UD2: self = .undefined
        default: return nil
        }
    }

    /// The string instruction of a mnemonic; some of these names have an SSE namesake.
    init?(string mnemonic: ZydisMnemonic) {
        switch mnemonic {
        case ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD,
            ZYDIS_MNEMONIC_MOVSQ:
            self = .movs
        case ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, ZYDIS_MNEMONIC_STOSD,
            ZYDIS_MNEMONIC_STOSQ:
            self = .stos
        case ZYDIS_MNEMONIC_LODSB, ZYDIS_MNEMONIC_LODSW, ZYDIS_MNEMONIC_LODSD,
            ZYDIS_MNEMONIC_LODSQ:
            self = .lods
        case ZYDIS_MNEMONIC_CMPSB, ZYDIS_MNEMONIC_CMPSW, ZYDIS_MNEMONIC_CMPSD,
            ZYDIS_MNEMONIC_CMPSQ:
            self = .cmps
        case ZYDIS_MNEMONIC_SCASB, ZYDIS_MNEMONIC_SCASW, ZYDIS_MNEMONIC_SCASD,
            ZYDIS_MNEMONIC_SCASQ:
            self = .scas
        default: return nil
        }
    }

    /// The instruction with a condition code in its opcode, of the legacy encoding.
    init?(conditional opcode: UInt8, in map: ZydisOpcodeMap) {
        switch (map, opcode) {
        case (ZYDIS_OPCODE_MAP_DEFAULT, 0x70...0x7f), (ZYDIS_OPCODE_MAP_0F, 0x80...0x8f):
            self = Operation(rawValue: Operation.jo.rawValue + (opcode & 15)) ?? .unimplemented
        case (ZYDIS_OPCODE_MAP_0F, 0x40...0x4f): self = .cmovcc
        case (ZYDIS_OPCODE_MAP_0F, 0x90...0x9f): self = .setcc
        default: return nil
        }
    }
}
