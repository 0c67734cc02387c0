/// What is known of an instruction before it is executed.
///
/// Unsafe: reads decoded instructions and TLB entries in place, as the run loop does.
extension EmulatedVCPU {
    /// The instruction at RIP, without a breakpoint's mark; the fault of fetching it.
    ///
    /// - Returns: `nil` where it is not known yet.
    mutating func decodeAhead() throws(Fault) -> Instruction? {
        if let known = decodedInstruction() { return known }
        if memory.guest.code.epoch != window.epoch { forgetCode() }
        if rip & ~0xfff != window.linear || window.generation != memory.generation {
            try enterPage()
        }
        guard let slots = unsafe window.slots else { return nil }
        let instruction = unsafe slots[Int(rip & 0xfff)]
        guard instruction.operation == .undecoded else { return instruction.withoutMark }
        return unsafe slots[try decodeInstruction()].withoutMark
    }

    /// The same where it is decoded, and its page translated: only this vCPU is changed by that.
    mutating func decodedInstruction() -> Instruction? {
        memory.synchronize()
        guard memory.guest.code.epoch == window.epoch, rip & ~0xfff == window.linear,
            window.generation == memory.generation, let slots = unsafe window.slots
        else { return nil }
        let instruction = unsafe slots[Int(rip & 0xfff)]
        return instruction.operation == .undecoded ? nil : instruction.withoutMark
    }

    /// Whether an instruction is only about registers, and memory that the TLB knows.
    ///
    /// Such an instruction raises no exception, leaves the TLB and the form of every page as they
    /// are, and does the same with RFLAGS.TF set. All others are a matter for the model: those that
    /// SEV-ES intercepts, those of the system, those that can fault by their values, those that
    /// not every KVM's own emulator knows (VEX, LZCNT), and where PVM does not single-step: behind
    /// ENDBR64, a NOP, and at CPL 3, where its #DB reaches the guest.
    mutating func isPlain(_ i: Instruction) -> Bool {
        guard !flags.trap, system.cpl == 0 else { return false }
        switch i.operation {
        case .undecoded, .unimplemented, .system, .breakpoint, .undefined, .tooLong, .vmgexit,
            .div, .idiv, .pushf, .popf, .enter, .rdrand, .touch, .xlat, .cmpxchg8b, .cmpxchg16b,
            .movs, .stos, .lods, .cmps, .scas, .nop, .bt, .bts, .btr, .btc, .lzcnt, .tzcnt, .popcnt,
            .andn, .bextr, .blsi, .blsmsk, .blsr, .bzhi, .mulx, .pdep, .pext, .rorx, .sarx, .shlx,
            .shrx, .adcx, .adox, .movbe:
            return false
        case .lea, .lea32, .lea64: return true
        case .vector: return isPlainVector(i)
        case .push, .push64r: return !i.hasMemory && isKnown(gpr[4] &- 8, 8, isWrite: true)
        case .pop, .pop64r: return !i.hasMemory && isKnown(gpr[4], 8, isWrite: false)
        case .leave: return isKnown(gpr[5], 8, isWrite: false)
        case .call:
            return isKnown(gpr[4] &- 8, 8, isWrite: true) && leadsSomewhere(i)
        case .callIndirect:
            return !i.hasMemory && isKnown(gpr[4] &- 8, 8, isWrite: true)
                && Self.isCanonical(general(i.destination))
        case .jmpIndirect: return !i.hasMemory && Self.isCanonical(general(i.destination))
        case .ret:
            guard isKnown(gpr[4], 8, isWrite: false) else { return false }
            return unsafe Self.isCanonical(
                memory.entry(for: gpr[4]).pointee.host(gpr[4]).loadUnaligned(as: UInt64.self))
        case .jmp, .loop, .loope, .loopne, .jrcxz, .jo, .jno, .jb, .jnb, .jz, .jnz, .jbe, .jnbe,
            .js, .jns, .jp, .jnp, .jl, .jnl, .jle, .jnle:
            return leadsSomewhere(i)
        default:
            return !i.hasMemory || isKnown(effectiveAddress(i), 8, isWrite: i.writesMemory)
        }
    }

    /// SSE with all exceptions masked and aligned operands.
    private mutating func isPlainVector(_ i: Instruction) -> Bool {
        guard !emulatesFPU, !taskSwitched, supportsSSE, vector.mxcsr.masked == .all,
            let operation = VectorOperation(rawValue: i.detail)
        else { return false }
        switch operation {
        case .state, .move(.maskedBytes): return false
        default: break
        }
        guard i.hasMemory else { return true }
        let address = effectiveAddress(i)
        guard i.width < 16 || address & 15 == 0 else { return false }
        return isKnown(address, 16, isWrite: i.writesMemory)
    }

    /// Whether a branch relative to the next instruction goes to a canonical address.
    private func leadsSomewhere(_ i: Instruction) -> Bool {
        Self.isCanonical(rip &+ UInt64(i.length) &+ i.immediate)
    }

    /// Whether the TLB lets an access pass, as the run loop's fast path asks it.
    private func isKnown(_ linear: UInt64, _ size: UInt64, isWrite: Bool) -> Bool {
        let last = (linear &+ (size &- 1)) & ~0xfff
        let entry = unsafe memory.entry(for: linear)
        return unsafe (isWrite ? entry.pointee.writeTag : entry.pointee.readTag) == last
    }
}

extension MXCSR.Exceptions {
    fileprivate static let all = MXCSR.Exceptions(rawValue: 0x3f)
}

extension Instruction {
    /// Without the mark of a breakpoint.
    fileprivate var withoutMark: Instruction {
        guard operation == .breakpoint else { return self }
        var instruction = self
        instruction.operation = overlaid
        return instruction
    }

    /// Whether the next instruction may be another than the one behind it.
    var isBranch: Bool {
        switch operation {
        case .jmp, .jmpIndirect, .call, .callIndirect, .ret, .loop, .loope, .loopne, .jrcxz,
            .jo, .jno, .jb, .jnb, .jz, .jnz, .jbe, .jnbe, .js, .jns, .jp, .jnp, .jl, .jnl, .jle,
            .jnle:
            true
        default: false
        }
    }

    /// Whether an operand may lie in memory; push, call and string instructions name none.
    var hasMemory: Bool {
        switch form {
        case .register, .immediate, .registerRegister, .registerImmediate,
            .registerRegisterImmediate, .registerRegisterRegister, .immediateRegister,
            .immediateImmediate:
            false
        case .none: base != Self.noRegister || index != Self.noRegister || displacement != 0
        default: true
        }
    }

    /// Whether the operand in memory is, or may be, the one that is written.
    fileprivate var writesMemory: Bool {
        switch form {
        case .registerMemory, .registerMemoryImmediate, .registerMemoryRegister,
            .registerRegisterMemory:
            // XCHG is the same either way round.
            operation == .xchg
        default: true
        }
    }
}
