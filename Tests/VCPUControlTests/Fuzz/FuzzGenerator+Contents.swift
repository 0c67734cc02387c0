import CZydis

/// Contents of registers and memory that make an instruction do its work.
extension FuzzGenerator {
    /// Gives registers values without which an instruction would seldom do its work.
    mutating func prepare(_ result: inout FuzzCase, _ instruction: FuzzInstruction) {
        switch instruction.mnemonic {
        case ZYDIS_MNEMONIC_DIV where random.chance(70):
            result.state.registers[2] = random.next() >> UInt64(random.below(64)) & 0xff
        case ZYDIS_MNEMONIC_IDIV where random.chance(70):
            let isNegative = Int64(bitPattern: result.state.registers[0]) < 0
            result.state.registers[2] = isNegative ? .max : 0
        case ZYDIS_MNEMONIC_CMPXCHG where random.chance(50):
            if let register = instruction.generalRegister(0) {
                result.state.registers[0] = result.state.registers[register]
            }
        case ZYDIS_MNEMONIC_XSAVE, ZYDIS_MNEMONIC_XSAVE64, ZYDIS_MNEMONIC_XRSTOR,
            ZYDIS_MNEMONIC_XRSTOR64:
            result.state.registers[0] = UInt64(random.below(4))
            result.state.registers[2] = 0
        case ZYDIS_MNEMONIC_LEAVE, ZYDIS_MNEMONIC_ENTER:
            result.state.registers[5] = FuzzLayout.operand(&random, size: 16)
        default: break
        }
        if instruction.isString && instruction.repeats && random.chance(90) {
            result.state.registers[1] = UInt64(random.below(random.pick([4, 40, 600])))
        }
    }

    /// Puts values into memory that the usual contents would seldom have.
    mutating func patch(
        _ result: inout FuzzCase, _ instruction: FuzzInstruction, _ operand: FuzzMemoryOperand,
        at address: UInt64
    ) {
        switch instruction.mnemonic {
        case ZYDIS_MNEMONIC_XRSTOR, ZYDIS_MNEMONIC_XRSTOR64: patchHeader(&result, address)
        case ZYDIS_MNEMONIC_FXRSTOR, ZYDIS_MNEMONIC_FXRSTOR64, ZYDIS_MNEMONIC_LDMXCSR:
            let offset: UInt64 = instruction.mnemonic == ZYDIS_MNEMONIC_LDMXCSR ? 0 : 24
            if random.chance(80) { result.patch(address &+ offset, UInt64(mxcsr()), count: 4) }
        case ZYDIS_MNEMONIC_POPF, ZYDIS_MNEMONIC_POPFD, ZYDIS_MNEMONIC_POPFQ:
            // Without TF and AC, which the host would notice first.
            result.patch(address, random.next() & ~0x4_0100, count: operand.size)
        case ZYDIS_MNEMONIC_CMPXCHG where random.chance(50):
            result.patch(address, result.state.registers[0], count: operand.size)
        case ZYDIS_MNEMONIC_CMPXCHG8B where random.chance(50):
            let (low, high) = (result.state.registers[0], result.state.registers[2])
            result.patch(address, low & 0xffff_ffff | high << 32, count: 8)
        case ZYDIS_MNEMONIC_CMPXCHG16B where random.chance(50):
            result.patch(address, result.state.registers[0], count: 8)
            result.patch(address &+ 8, result.state.registers[2], count: 8)
        default:
            guard !instruction.isString, random.chance(50), operand.size <= 16 else { return }
            let isVector = operand.size == 16
            result.patch(
                address, isVector ? random.vectorQuadword() : random.value(),
                count: min(8, operand.size))
            if isVector { result.patch(address &+ 8, random.vectorQuadword(), count: 8) }
        }
    }

    /// A header of an area of XSAVE that is valid most of the time, and a valid MXCSR.
    private mutating func patchHeader(_ result: inout FuzzCase, _ address: UInt64) {
        result.patch(address &+ 24, UInt64(mxcsr()), count: 4)
        let present =
            random.chance(90) ? UInt64(random.below(4)) : 1 << UInt64(20 + random.below(40))
        result.patch(address &+ 512, present, count: 8)
        for word: UInt64 in 1..<8 {
            let value = random.chance(3) ? random.next() & .max >> 1 : 0
            result.patch(address &+ 512 &+ 8 * word, value, count: 8)
        }
    }

    /// Makes branches go to where nothing but the end of the run is; false where one cannot.
    mutating func targets(
        _ result: inout FuzzCase, _ instruction: FuzzInstruction
    ) -> Bool {
        guard instruction.isBranch, let first = instruction.operands.first else { return true }
        switch first.type {
        case ZYDIS_OPERAND_TYPE_IMMEDIATE where instruction.mnemonic != ZYDIS_MNEMONIC_RET:
            return unsafe isFree(result.next &+ first.imm.value.u, result)
        case ZYDIS_OPERAND_TYPE_REGISTER where instruction.mnemonic != ZYDIS_MNEMONIC_RET:
            guard let register = instruction.generalRegister(0) else { return false }
            if register != 4 { result.state.registers[register] = target(result) }
            return isFree(result.state.registers[register], result)
        default:
            return memoryTarget(&result, instruction)
        }
    }

    /// A target read from memory: of RET, and of indirect branches.
    private mutating func memoryTarget(
        _ result: inout FuzzCase, _ instruction: FuzzInstruction
    ) -> Bool {
        let isReturn = instruction.mnemonic == ZYDIS_MNEMONIC_RET
        for operand in memoryOperands(instruction) where operand.isHidden == isReturn {
            let address = operand.address(result.state.registers, next: result.next)
            result.patches.removeAll()
            if FuzzLayout.code.contains(address) || FuzzLayout.code.contains(address &+ 7) {
                return false
            }
            result.patch(address, target(result), count: 8)
        }
        return true
    }

    private mutating func target(_ result: FuzzCase) -> UInt64 {
        while true {
            let address =
                switch random.below(5) {
                case 0, 1: FuzzLayout.code.lowerBound + UInt64(random.below(0x2000))
                case 2: random.next() & 0x7fff_ffff | 0x3000_0000
                case 3: FuzzLayout.data.lowerBound + UInt64(random.below(0x5000))
                default: random.next() | 1 << 63
                }
            if isFree(address, result) { return address }
        }
    }

    private func isFree(_ target: UInt64, _ result: FuzzCase) -> Bool {
        !(target >= result.state.rip && target < result.next) && FuzzLayout.isSafeTarget(target)
    }
}

extension FuzzCase {
    fileprivate mutating func patch(_ address: UInt64, _ value: UInt64, count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
        patches.append(Patch(address: address, bytes: bytes))
    }
}
