/// Where the run loop reads an instruction.
///
/// Unsafe: a slot of the `CodeCache`, which keeps it while the loop is in its page. Each use loads
/// the parts it needs, which is what makes the loop fast.
@safe
struct InstructionSlot {
    private let pointer: UnsafePointer<Instruction>

    @inline(__always)
    init(_ slots: CodeCache.Slots, _ index: Int) {
        unsafe pointer = UnsafePointer(slots + index)
    }

    /// The instruction.
    @inline(__always)
    var i: Instruction { unsafe pointer.pointee }
}

extension EmulatedVCPU {
    /// The fast loop: executes instructions until `end`, or until someone has to look.
    ///
    /// `end` is the value of `retired` to stop at; with `standing` a breakpoint at the first
    /// instruction is passed over. Throws the fault of the instruction at RIP.
    mutating func execute(until end: UInt64, standing: Bool) throws(Fault) -> Pause {
        let start = standing ? retired : .max
        while retired < end {
            if rip & ~0xfff != window.linear || window.generation != memory.generation {
                if memory.guest.isTouched { return .look }
                try enterPage()
            }
            guard let slots = unsafe window.slots else { return .look }
            var slot = unsafe InstructionSlot(slots, Int(truncatingIfNeeded: rip & 0xfff))
            var operation = slot.i.operation
            if operation.rawValue <= Operation.breakpoint.rawValue {
                if operation == .undecoded {
                    slot = unsafe InstructionSlot(slots, try decodeInstruction())
                    operation = slot.i.operation
                }
                if operation == .breakpoint {
                    if retired != start && memory.guest.code.hasBreakpoint(at: rip) {
                        return .breakpoint
                    }
                    operation = slot.i.overlaid
                }
            }
            var next = rip &+ UInt64(slot.i.length)
            switch operation {
            case .undecoded, .breakpoint: return .look
            case .unimplemented: return .unimplemented
            case .system: return .system
            case .vector: try executeVector(slot.i)
            case .undefined: throw .invalidOpcode
            case .tooLong: throw .generalProtection()
            case .vmgexit:
                rip = next
                return .vmgexit

            case .add: try binary(Add.self, slot.i)
            case .or: try binary(Or.self, slot.i)
            case .adc: try binary(AddCarry.self, slot.i)
            case .sbb: try binary(SubtractBorrow.self, slot.i)
            case .and: try binary(And.self, slot.i)
            case .sub: try binary(Subtract.self, slot.i)
            case .xor: try binary(ExclusiveOr.self, slot.i)
            case .cmp: try binary(Compare.self, slot.i)
            case .test: try binary(Test.self, slot.i)
            case .inc: try unary(Increment.self, slot.i)
            case .dec: try unary(Decrement.self, slot.i)
            case .neg: try unary(Negate.self, slot.i)
            case .not: try unary(Not.self, slot.i)
            case .adcx, .adox: try addFlagged(slot.i)

            case .shl: try shift(ShiftLeft.self, slot.i)
            case .shr: try shift(ShiftRight.self, slot.i)
            case .sar: try shift(ShiftArithmetic.self, slot.i)
            case .rol: try shift(RotateLeft.self, slot.i)
            case .ror: try shift(RotateRight.self, slot.i)
            case .rcl: try shift(RotateCarryLeft.self, slot.i)
            case .rcr: try shift(RotateCarryRight.self, slot.i)
            case .shld, .shrd: try shiftDouble(slot.i)

            case .mul, .multiply, .div, .idiv: try multiplyDivide(slot.i)
            case .imul: try multiply(slot.i)
            case .mulx: try multiplyExtended(slot.i)

            case .bt, .bts, .btr, .btc: try bitTest(slot.i)
            case .bsf, .bsr, .lzcnt, .tzcnt, .popcnt: try bitScan(slot.i)
            case .bswap: byteSwap(slot.i)
            case .andn, .bextr, .blsi, .blsmsk, .blsr, .bzhi, .pdep, .pext, .rorx, .sarx, .shlx,
                .shrx:
                try manipulateBits(slot.i)

            case .mov: try move(slot.i)
            case .movzx: try moveZeroExtended(slot.i)
            case .movsx: try moveSignExtended(slot.i)
            case .movbe: try moveSwapped(slot.i)
            case .lea: loadAddress(slot.i)
            case .xchg, .xadd, .cmpxchg: try exchange(slot.i)
            case .cmpxchg8b: try compareExchange8(slot.i)
            case .cmpxchg16b: try compareExchange16(slot.i)
            case .xlat: try translate(slot.i)
            case .extendAccumulator: extendAccumulator(slot.i)
            case .extendIntoData: extendIntoData(slot.i)
            case .setcc: try setConditionally(slot.i)
            case .cmovcc: try moveConditionally(slot.i)

            case .lahf, .sahf: transferFlags(slot.i)
            case .clc: flags.carry = false
            case .stc: flags.carry = true
            case .cmc: flags.carry = !flags.carry
            case .cld: flags.direction = false
            case .std: flags.direction = true

            case .push: try push(slot.i)
            case .pop: try pop(slot.i)
            case .pushf: try pushFlags(slot.i)
            case .popf:
                try popFlags(slot.i)
                rip = next
                retired &+= 1
                return .look
            case .enter: try enter(slot.i)
            case .leave: try leave(slot.i)

            case .jmp: next = try branchTarget(next &+ slot.i.immediate)
            case .jmpIndirect: next = try jump(slot.i)
            case .call: next = try call(next &+ slot.i.immediate, returningTo: next)
            case .callIndirect:
                next = try call(try readDestination(slot.i, UInt64.self), returningTo: next)
            case .ret: next = try ret(slot.i)
            case .loop, .loope, .loopne: next = try loop(slot.i, next: next)
            case .jrcxz: next = try jumpIfCountIsZero(slot.i, next: next)

            case .movs, .stos, .lods, .cmps, .scas:
                if try !string(slot.i, until: end) { continue }
            case .nop: break
            case .rdrand: random(slot.i)
            case .touch: _ = try load(UInt8.self, at: effectiveAddress(slot.i), slot.i.segment)

            case .jo: if flags.overflow { next = try branchTarget(next &+ slot.i.immediate) }
            case .jno: if !flags.overflow { next = try branchTarget(next &+ slot.i.immediate) }
            case .jb: if flags.carry { next = try branchTarget(next &+ slot.i.immediate) }
            case .jnb: if !flags.carry { next = try branchTarget(next &+ slot.i.immediate) }
            case .jz: if flags.zero { next = try branchTarget(next &+ slot.i.immediate) }
            case .jnz: if !flags.zero { next = try branchTarget(next &+ slot.i.immediate) }
            case .jbe: if flags.belowOrEqual { next = try branchTarget(next &+ slot.i.immediate) }
            case .jnbe: if !flags.belowOrEqual { next = try branchTarget(next &+ slot.i.immediate) }
            case .js: if flags.sign { next = try branchTarget(next &+ slot.i.immediate) }
            case .jns: if !flags.sign { next = try branchTarget(next &+ slot.i.immediate) }
            case .jp: if flags.parity { next = try branchTarget(next &+ slot.i.immediate) }
            case .jnp: if !flags.parity { next = try branchTarget(next &+ slot.i.immediate) }
            case .jl: if flags.less { next = try branchTarget(next &+ slot.i.immediate) }
            case .jnl: if !flags.less { next = try branchTarget(next &+ slot.i.immediate) }
            case .jle:
                if flags.less || flags.zero { next = try branchTarget(next &+ slot.i.immediate) }
            case .jnle:
                if !flags.less && !flags.zero { next = try branchTarget(next &+ slot.i.immediate) }

            case .add32rr: rr(Add.self, UInt32.self, slot.i)
            case .add64rr: rr(Add.self, UInt64.self, slot.i)
            case .add32ri: ri(Add.self, UInt32.self, slot.i)
            case .add64ri: ri(Add.self, UInt64.self, slot.i)
            case .add32rm: try rm(Add.self, UInt32.self, slot.i)
            case .add64rm: try rm(Add.self, UInt64.self, slot.i)
            case .sub32rr: rr(Subtract.self, UInt32.self, slot.i)
            case .sub64rr: rr(Subtract.self, UInt64.self, slot.i)
            case .sub32ri: ri(Subtract.self, UInt32.self, slot.i)
            case .sub64ri: ri(Subtract.self, UInt64.self, slot.i)
            case .sub32rm: try rm(Subtract.self, UInt32.self, slot.i)
            case .sub64rm: try rm(Subtract.self, UInt64.self, slot.i)
            case .and32rr: rr(And.self, UInt32.self, slot.i)
            case .and64rr: rr(And.self, UInt64.self, slot.i)
            case .and32ri: ri(And.self, UInt32.self, slot.i)
            case .and64ri: ri(And.self, UInt64.self, slot.i)
            case .or32rr: rr(Or.self, UInt32.self, slot.i)
            case .or64rr: rr(Or.self, UInt64.self, slot.i)
            case .or32ri: ri(Or.self, UInt32.self, slot.i)
            case .or64ri: ri(Or.self, UInt64.self, slot.i)
            case .xor32rr: rr(ExclusiveOr.self, UInt32.self, slot.i)
            case .xor64rr: rr(ExclusiveOr.self, UInt64.self, slot.i)
            case .xor32ri: ri(ExclusiveOr.self, UInt32.self, slot.i)
            case .xor64ri: ri(ExclusiveOr.self, UInt64.self, slot.i)
            case .cmp32rr: rr(Compare.self, UInt32.self, slot.i)
            case .cmp64rr: rr(Compare.self, UInt64.self, slot.i)
            case .cmp8ri: ri(Compare.self, UInt8.self, slot.i)
            case .cmp32ri: ri(Compare.self, UInt32.self, slot.i)
            case .cmp64ri: ri(Compare.self, UInt64.self, slot.i)
            case .cmp32rm: try rm(Compare.self, UInt32.self, slot.i)
            case .cmp64rm: try rm(Compare.self, UInt64.self, slot.i)
            case .cmp8mi:
                try compareMemory(slot.i, with: UInt8(truncatingIfNeeded: slot.i.immediate))
            case .cmp32mi:
                try compareMemory(slot.i, with: UInt32(truncatingIfNeeded: slot.i.immediate))
            case .cmp64mi: try compareMemory(slot.i, with: slot.i.immediate)
            case .cmp32mr: try compareMemory(slot.i, with: register(slot.i.source, UInt32.self))
            case .cmp64mr: try compareMemory(slot.i, with: general(slot.i.source))
            case .test8rr: rr(Test.self, UInt8.self, slot.i)
            case .test32rr: rr(Test.self, UInt32.self, slot.i)
            case .test64rr: rr(Test.self, UInt64.self, slot.i)
            case .test8ri: ri(Test.self, UInt8.self, slot.i)
            case .inc32r: r(Increment.self, UInt32.self, slot.i)
            case .inc64r: r(Increment.self, UInt64.self, slot.i)
            case .dec32r: r(Decrement.self, UInt32.self, slot.i)
            case .dec64r: r(Decrement.self, UInt64.self, slot.i)

            case .shl32ri: shift(ShiftLeft.self, UInt32.self, slot.i)
            case .shl64ri: shift(ShiftLeft.self, UInt64.self, slot.i)
            case .shr32ri: shift(ShiftRight.self, UInt32.self, slot.i)
            case .shr64ri: shift(ShiftRight.self, UInt64.self, slot.i)
            case .sar32ri: shift(ShiftArithmetic.self, UInt32.self, slot.i)
            case .sar64ri: shift(ShiftArithmetic.self, UInt64.self, slot.i)
            case .imul32rr: multiplyRegisters(slot.i, UInt32.self)
            case .imul64rr: multiplyRegisters(slot.i, UInt64.self)

            case .mov32rr: setRegister(slot.i.destination, to: register(slot.i.source, UInt32.self))
            case .mov64rr: setRegister(slot.i.destination, to: general(slot.i.source))
            case .mov32ri:
                setRegister(
                    slot.i.destination, to: UInt32(truncatingIfNeeded: slot.i.immediate))
            case .mov64ri: setRegister(slot.i.destination, to: slot.i.immediate)
            case .mov8rm: try loadRegister(slot.i, UInt8.self)
            case .mov32rm: try loadRegister(slot.i, UInt32.self)
            case .mov64rm: try loadRegister(slot.i, UInt64.self)
            case .mov8mr: try storeRegister(slot.i, UInt8.self)
            case .mov32mr: try storeRegister(slot.i, UInt32.self)
            case .mov64mr: try storeRegister(slot.i, UInt64.self)
            case .mov32mi: try storeImmediate(slot.i, UInt32.self)
            case .mov64mi: try storeImmediate(slot.i, UInt64.self)
            case .movzx8rr:
                setRegister(slot.i.destination, to: UInt64(register(slot.i.source, UInt8.self)))
            case .movzx16rr:
                setRegister(slot.i.destination, to: UInt64(register(slot.i.source, UInt16.self)))
            case .movzx8rm:
                let value = try load(UInt8.self, at: effectiveAddress(slot.i), slot.i.segment)
                setRegister(slot.i.destination, to: UInt64(value))
            case .movzx16rm:
                let value = try load(UInt16.self, at: effectiveAddress(slot.i), slot.i.segment)
                setRegister(slot.i.destination, to: UInt64(value))
            case .movsxd64rr:
                let value = register(slot.i.source, UInt32.self)
                setRegister(slot.i.destination, to: value.signExtended)
            case .movsxd64rm:
                let value = try load(UInt32.self, at: effectiveAddress(slot.i), slot.i.segment)
                setRegister(slot.i.destination, to: value.signExtended)
            case .lea32:
                let address = truncated(offset(slot.i), slot.i)
                setRegister(slot.i.destination, to: UInt32(truncatingIfNeeded: address))
            case .lea64: setRegister(slot.i.destination, to: truncated(offset(slot.i), slot.i))
            case .push64r: try push(general(slot.i.destination))
            case .pop64r: setRegister(slot.i.destination, to: try pop(UInt64.self))
            }
            rip = next
            retired &+= 1
        }
        return .look
    }
}
