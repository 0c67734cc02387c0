internal import CZydis

/// The compact form of what Zydis found.
extension Instruction {
    init(_ encoding: Encoding) {
        self.init(length: encoding.length)
        setPrefixes(encoding)
        for (number, operand) in encoding.operands.enumerated() {
            setOperand(number, operand, encoding)
        }
        form = OperandForm(encoding.operands)
        choose(encoding)
        operation = .specialized(operation, form, width, sourceWidth)
    }

    private mutating func setPrefixes(_ encoding: Encoding) {
        if encoding.has(attribute: 27) { prefixes.insert(.lock) }
        if encoding.has(attribute: 28) || encoding.has(attribute: 29) { prefixes.insert(.rep) }
        if encoding.has(attribute: 30) { prefixes.insert(.repne) }
        if encoding.has(attribute: 41) { segment = .fs }
        if encoding.has(attribute: 42) { segment = .gs }
        if segment != .ds { prefixes.insert(.specialAddress) }
        if encoding.addressWidth == 32 {
            prefixes.formUnion([.address32, .specialAddress])
        }
    }

    private mutating func setOperand(
        _ number: Int, _ operand: ZydisDecodedOperand, _ encoding: Encoding
    ) {
        switch operand.type {
        case ZYDIS_OPERAND_TYPE_REGISTER:
            let register = RegisterOperand(operand.reg.value)
            switch number {
            case 0: destination = register.number
            case 1: source = register.number
            default: third = register.number
            }
        case ZYDIS_OPERAND_TYPE_MEMORY: setMemory(operand.mem, encoding)
        case ZYDIS_OPERAND_TYPE_IMMEDIATE:
            if encoding.mnemonic == ZYDIS_MNEMONIC_ENTER && number == 1 {
                detail = UInt16(truncatingIfNeeded: unsafe operand.imm.value.u & 31)
            } else {
                immediate = unsafe operand.imm.value.u
            }
        default: break
        }
    }

    private mutating func setMemory(_ memory: ZydisDecodedOperandMem, _ encoding: Encoding) {
        base = RegisterOperand(memory.base).addressNumber
        index = RegisterOperand(memory.index).addressNumber
        scale = UInt8(truncatingIfNeeded: max(1, memory.scale).trailingZeroBitCount)
        displacement = memory.disp.value
        if memory.base == ZYDIS_REGISTER_RIP || memory.base == ZYDIS_REGISTER_EIP {
            prefixes.insert(.ripRelative)
            displacement &+= Int64(length)
        }
        if let fixed = encoding.displacementWithoutBase {
            base = Instruction.noRegister
            displacement = fixed
        }
        if segment == .ds && memory.segment == ZYDIS_REGISTER_SS { segment = .ss }
    }
}

extension OperandForm {
    /// `none` also where the emulator knows no instruction with such operands.
    init(_ operands: [ZydisDecodedOperand]) {
        let (r, m, i) = (1, 2, 3)
        switch operands.reduce(0, { $0 * 4 + Self.digit($1.type) }) {
        case r: self = .register
        case m: self = .memory
        case i: self = .immediate
        case r * 4 + r: self = .registerRegister
        case r * 4 + m: self = .registerMemory
        case r * 4 + i: self = .registerImmediate
        case m * 4 + r: self = .memoryRegister
        case m * 4 + i: self = .memoryImmediate
        case i * 4 + r: self = .immediateRegister
        case i * 4 + i: self = .immediateImmediate
        case r * 16 + r * 4 + i: self = .registerRegisterImmediate
        case r * 16 + m * 4 + i: self = .registerMemoryImmediate
        case m * 16 + r * 4 + i: self = .memoryRegisterImmediate
        case r * 16 + r * 4 + r: self = .registerRegisterRegister
        case r * 16 + m * 4 + r: self = .registerMemoryRegister
        case r * 16 + r * 4 + m: self = .registerRegisterMemory
        case m * 16 + r * 4 + r: self = .memoryRegisterRegister
        default: self = .none
        }
    }

    private static func digit(_ type: ZydisOperandType) -> Int {
        switch type {
        case ZYDIS_OPERAND_TYPE_REGISTER: 1
        case ZYDIS_OPERAND_TYPE_MEMORY: 2
        case ZYDIS_OPERAND_TYPE_IMMEDIATE: 3
        default: 0
        }
    }
}
