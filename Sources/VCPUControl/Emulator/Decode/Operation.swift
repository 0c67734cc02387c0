/// What an instruction does.
enum Operation: UInt8 {
    /// Not decoded yet; zero, so that fresh memory is a page of these.
    case undecoded
    case unimplemented
    /// See `SystemOperation`.
    case system
    /// See `VectorOperation`.
    case vector
    /// `overlaid` with a breakpoint at its page offset.
    case breakpoint
    /// Raises #UD.
    case undefined
    /// Longer than 15 bytes: raises #GP.
    case tooLong
    /// REP VMMCALL.
    case vmgexit

    // Any width, any form.
    case add, or, adc, sbb, and, sub, xor, cmp, test
    case inc, dec, neg, not
    case shl, shr, sar, rol, ror, rcl, rcr, shld, shrd
    /// `multiply` is the form of IMUL with one operand, `imul` those with two and three.
    case mul, multiply, imul, div, idiv
    case bt, bts, btr, btc, bsf, bsr, lzcnt, tzcnt, popcnt, bswap
    case andn, bextr, blsi, blsmsk, blsr, bzhi, mulx, pdep, pext, rorx, sarx, shlx, shrx
    case adcx, adox
    case mov, movzx, movsx, movbe, lea, xchg, xadd, cmpxchg, cmpxchg8b, cmpxchg16b, xlat
    /// CBW, CWDE, CDQE; and CWD, CDQ, CQO.
    case extendAccumulator, extendIntoData
    case setcc, cmovcc
    case lahf, sahf, clc, stc, cmc, cld, std
    case push, pop, pushf, popf, enter, leave
    case jmp, jmpIndirect, call, callIndirect, ret, loop, loope, loopne, jrcxz
    case movs, stos, lods, cmps, scas
    case nop, rdrand
    /// CLFLUSH and its kin: a read of one byte.
    case touch

    // Conditional jumps in the order of their condition codes.
    case jo, jno, jb, jnb, jz, jnz, jbe, jnbe, js, jns, jp, jnp, jl, jnl, jle, jnle

    // Frequent forms: r register, i immediate, m memory; destination first.
    case add32rr, add64rr, add32ri, add64ri, add32rm, add64rm
    case sub32rr, sub64rr, sub32ri, sub64ri, sub32rm, sub64rm
    case and32rr, and64rr, and32ri, and64ri
    case or32rr, or64rr, or32ri, or64ri
    case xor32rr, xor64rr, xor32ri, xor64ri
    case cmp32rr, cmp64rr, cmp32ri, cmp64ri, cmp32rm, cmp64rm
    case cmp8mi, cmp32mi, cmp64mi, cmp32mr, cmp64mr
    case test8rr, test32rr, test64rr, cmp8ri, test8ri
    case inc32r, inc64r, dec32r, dec64r
    case shl32ri, shl64ri, shr32ri, shr64ri, sar32ri, sar64ri
    case imul32rr, imul64rr
    case mov32rr, mov64rr, mov32ri, mov64ri
    case mov8rm, mov32rm, mov64rm, mov8mr, mov32mr, mov64mr, mov32mi, mov64mi
    case movzx8rr, movzx16rr, movzx8rm, movzx16rm, movsxd64rr, movsxd64rm
    case lea32, lea64
    case push64r, pop64r
}

extension Operation {
    /// The operation for a frequent form of a general one, or the general one itself.
    static func specialized(
        _ operation: Operation, _ form: OperandForm, _ width: UInt8, _ sourceWidth: UInt8
    ) -> Operation {
        switch (operation, form, width) {
        case (.add, .registerRegister, 4): .add32rr
        case (.add, .registerRegister, 8): .add64rr
        case (.add, .registerImmediate, 4): .add32ri
        case (.add, .registerImmediate, 8): .add64ri
        case (.add, .registerMemory, 4): .add32rm
        case (.add, .registerMemory, 8): .add64rm
        case (.sub, .registerRegister, 4): .sub32rr
        case (.sub, .registerRegister, 8): .sub64rr
        case (.sub, .registerImmediate, 4): .sub32ri
        case (.sub, .registerImmediate, 8): .sub64ri
        case (.sub, .registerMemory, 4): .sub32rm
        case (.sub, .registerMemory, 8): .sub64rm
        case (.and, .registerRegister, 4): .and32rr
        case (.and, .registerRegister, 8): .and64rr
        case (.and, .registerImmediate, 4): .and32ri
        case (.and, .registerImmediate, 8): .and64ri
        case (.or, .registerRegister, 4): .or32rr
        case (.or, .registerRegister, 8): .or64rr
        case (.or, .registerImmediate, 4): .or32ri
        case (.or, .registerImmediate, 8): .or64ri
        case (.xor, .registerRegister, 4): .xor32rr
        case (.xor, .registerRegister, 8): .xor64rr
        case (.xor, .registerImmediate, 4): .xor32ri
        case (.xor, .registerImmediate, 8): .xor64ri
        case (.cmp, .registerRegister, 4): .cmp32rr
        case (.cmp, .registerRegister, 8): .cmp64rr
        case (.cmp, .registerImmediate, 1): .cmp8ri
        case (.cmp, .registerImmediate, 4): .cmp32ri
        case (.cmp, .registerImmediate, 8): .cmp64ri
        case (.cmp, .registerMemory, 4): .cmp32rm
        case (.cmp, .registerMemory, 8): .cmp64rm
        case (.cmp, .memoryImmediate, 1): .cmp8mi
        case (.cmp, .memoryImmediate, 4): .cmp32mi
        case (.cmp, .memoryImmediate, 8): .cmp64mi
        case (.cmp, .memoryRegister, 4): .cmp32mr
        case (.cmp, .memoryRegister, 8): .cmp64mr
        case (.test, .registerRegister, 1): .test8rr
        case (.test, .registerRegister, 4): .test32rr
        case (.test, .registerRegister, 8): .test64rr
        case (.test, .registerImmediate, 1): .test8ri
        case (.inc, .register, 4): .inc32r
        case (.inc, .register, 8): .inc64r
        case (.dec, .register, 4): .dec32r
        case (.dec, .register, 8): .dec64r
        case (.shl, .registerImmediate, 4): .shl32ri
        case (.shl, .registerImmediate, 8): .shl64ri
        case (.shr, .registerImmediate, 4): .shr32ri
        case (.shr, .registerImmediate, 8): .shr64ri
        case (.sar, .registerImmediate, 4): .sar32ri
        case (.sar, .registerImmediate, 8): .sar64ri
        case (.imul, .registerRegister, 4): .imul32rr
        case (.imul, .registerRegister, 8): .imul64rr
        case (.mov, .registerRegister, 4): .mov32rr
        case (.mov, .registerRegister, 8): .mov64rr
        case (.mov, .registerImmediate, 4): .mov32ri
        case (.mov, .registerImmediate, 8): .mov64ri
        case (.mov, .registerMemory, 1): .mov8rm
        case (.mov, .registerMemory, 4): .mov32rm
        case (.mov, .registerMemory, 8): .mov64rm
        case (.mov, .memoryRegister, 1): .mov8mr
        case (.mov, .memoryRegister, 4): .mov32mr
        case (.mov, .memoryRegister, 8): .mov64mr
        case (.mov, .memoryImmediate, 4): .mov32mi
        case (.mov, .memoryImmediate, 8): .mov64mi
        case (.movzx, .registerRegister, 4...) where sourceWidth == 1: .movzx8rr
        case (.movzx, .registerRegister, 4...): .movzx16rr
        case (.movzx, .registerMemory, 4...) where sourceWidth == 1: .movzx8rm
        case (.movzx, .registerMemory, 4...): .movzx16rm
        case (.movsx, .registerRegister, 8) where sourceWidth == 4: .movsxd64rr
        case (.movsx, .registerMemory, 8) where sourceWidth == 4: .movsxd64rm
        case (.lea, _, 4): .lea32
        case (.lea, _, 8): .lea64
        case (.push, .register, 8): .push64r
        case (.pop, .register, 8): .pop64r
        default: operation
        }
    }
}
