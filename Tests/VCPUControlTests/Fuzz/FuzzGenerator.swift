import CZydis

/// Makes the instructions of the comparison: the same seed and number give the same one.
struct FuzzGenerator {
    let seed: UInt64
    private var decoder = FuzzDecoder()
    var random = FuzzRandom(seed: 0)

    init(seed: UInt64) { self.seed = seed }

    /// The instruction of a number; `nil` where its bytes are none, or none to execute.
    mutating func make(_ number: UInt64) -> FuzzCase? {
        random = FuzzRandom(seed: seed ^ number &* 0xd134_2543_de82_ef95)
        var bytes = FuzzEncoder.bytes(&random)
        guard let instruction = decoder.decode(bytes), !FuzzExclusions.contains(instruction) else {
            return nil
        }
        bytes.removeSubrange(instruction.length...)
        var result = FuzzCase(number: number, bytes: bytes)
        result.isBranch = instruction.isBranch
        result.isString = instruction.isString
        result.name = instruction.name
        result.state = state(length: bytes.count)
        prepare(&result, instruction)
        guard place(&result, instruction), targets(&result, instruction),
            !instruction.hasUndefinedResult(result.state)
        else { return nil }
        result.undefinedFlags = instruction.undefinedFlags(result.state)
        return result
    }

    private mutating func state(length: Int) -> MachineState {
        var state = MachineState()
        for number in 0..<16 { state.registers[number] = random.value() }
        // CF PF AF ZF SF OF, seldom DF and ID
        state.flags |= random.next() & 0x8d5
        if random.chance(20) { state.flags |= 1 << 10 }
        if random.chance(5) { state.flags |= 1 << 21 }
        state.rip = address(length: length)
        state.area[0] = 0x37f
        state.area[3] = UInt64(random.chance(70) ? 0x1f80 : random.chance(50) ? mxcsr() : 0x1fbf)
        if random.chance(4) { setX87(&state) }
        for word in 20..<52 { state.area[word] = random.vectorQuadword() }
        return state
    }

    /// Any MXCSR, with its exceptions masked more often than not.
    mutating func mxcsr() -> UInt32 {
        UInt32(truncatingIfNeeded: random.next()) & 0xffff | (random.chance(60) ? 0x1f80 : 0)
    }

    /// Any x87 state, whose pending exception is masked most of the time.
    private mutating func setX87(_ state: inout MachineState) {
        state.area[0] = random.next() & 0x7ff_00ff_7f7f_1f3f | 0x40
        if random.chance(70) { state.area[0] |= 0x3f }
        state.area[1] = random.next() & 0x7fff_ffff_ffff
        state.area[2] = random.next() & 0x7fff_ffff_ffff
        for index in 0..<8 {
            state.area[4 + 2 * index] = random.next()
            state.area[5 + 2 * index] = random.next() & 0xffff
        }
    }

    /// Mostly amid a page, sometimes across pages or at the end of the last.
    private mutating func address(length: Int) -> UInt64 {
        let start = FuzzLayout.code.lowerBound
        switch random.below(32) {
        case 0: return start + 0x1000 - UInt64(random.below(16))
        case 1: return FuzzLayout.code.upperBound - UInt64(1 + random.below(24))
        default: return start + 0x800 + UInt64(random.below(0x400))
        }
    }

    /// Puts the memory operands where the layout wants them.
    private mutating func place(_ result: inout FuzzCase, _ instruction: FuzzInstruction) -> Bool {
        var operands = memoryOperands(instruction)
        for number in operands.indices {
            let target = FuzzLayout.operand(&random, size: operands[number].size)
            let distance = operands[number].aim(
                &result.state.registers, at: target, next: result.next)
            guard let distance else { continue }
            operands[number].displacement &+= distance
            guard setDisplacement(&result.bytes, instruction, operands[number].displacement) else {
                return false
            }
        }
        for operand in operands {
            let address = bitAddress(operand, instruction, result)
            let isCode = FuzzLayout.code.overlaps(address..<max(address, address &+ 8))
            guard FuzzLayout.isSafe(address), !(isCode && instruction.popsFlags) else {
                return false
            }
            patch(&result, instruction, operand, at: address)
        }
        return true
    }

    /// The operands that are accessed, the stack's included.
    func memoryOperands(_ instruction: FuzzInstruction) -> [FuzzMemoryOperand] {
        instruction.operands.compactMap { operand in
            // Stack operands have the stack's address width, whatever 67h says.
            let isStack =
                operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN
                && operand.mem.base == ZYDIS_REGISTER_RSP
            let width = isStack ? 64 : instruction.addressWidth
            return FuzzMemoryOperand(operand, addressWidth: width)
        }
    }

    /// The address of an operand; bit tests with a register reach beyond it.
    private func bitAddress(
        _ operand: FuzzMemoryOperand, _ instruction: FuzzInstruction, _ result: FuzzCase
    ) -> UInt64 {
        let address = operand.address(result.state.registers, next: result.next)
        switch instruction.mnemonic {
        case ZYDIS_MNEMONIC_BT, ZYDIS_MNEMONIC_BTS, ZYDIS_MNEMONIC_BTR, ZYDIS_MNEMONIC_BTC:
            guard let register = instruction.generalRegister(1) else { return address }
            let unused = 64 - Int64(operand.size * 8)
            let offset = (Int64(bitPattern: result.state.registers[register]) << unused) >> unused
            return address &+ UInt64(bitPattern: offset >> 3)
        default: return address
        }
    }

    /// Writes the displacement of an operand without registers; false where it does not fit.
    private func setDisplacement(
        _ bytes: inout [UInt8], _ instruction: FuzzInstruction, _ value: UInt64
    ) -> Bool {
        let field = instruction.displacement
        let signed = Int64(bitPattern: value)
        switch field.size {
        case 8: break
        case 4 where instruction.addressWidth == 64:
            guard signed == Int64(Int32(truncatingIfNeeded: signed)) else { return false }
        case 4: break
        default: return false
        }
        for byte in 0..<field.size {
            bytes[field.offset + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))
        }
        return true
    }
}
