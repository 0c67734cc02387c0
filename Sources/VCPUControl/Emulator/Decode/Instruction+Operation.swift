internal import CZydis

/// The choice of the operation and of its width.
extension Instruction {
    /// Sets `operation`, `detail`, `width` and `sourceWidth`.
    mutating func choose(_ encoding: Encoding) {
        let classes = RegisterOperand.Classes(encoding.operands)
        setWidth(encoding)
        if encoding.mnemonic == ZYDIS_MNEMONIC_VMMCALL && encoding.repeats {
            operation = .vmgexit
        } else if let integer = integerOperation(encoding, classes) {
            operation = integer
        } else if classes.isDisjoint(with: [.vector, .other]),
            let system = SystemOperation(mnemonic: encoding.mnemonic)
        {
            operation = .system
            detail = system.rawValue
            setSystemWidth(system, encoding)
        } else if encoding.isLegacy && !classes.contains(.other),
            let vector = vectorOperation(encoding)
        {
            operation = .vector
            detail = vector.rawValue
            setVectorWidth(encoding)
        } else {
            operation = encoding.mnemonic == ZYDIS_MNEMONIC_PAUSE ? .nop : .unimplemented
        }
    }

    private mutating func integerOperation(
        _ encoding: Encoding, _ classes: RegisterOperand.Classes
    ) -> Operation? {
        if encoding.isLegacy,
            let conditional = Operation(conditional: encoding.opcode, in: encoding.map)
        {
            detail = UInt16(encoding.opcode & 15)
            return conditional
        }
        if encoding.isString { return Operation(string: encoding.mnemonic) }
        guard !encoding.isFar, classes.isSubset(of: .general),
            let operation = Operation(mnemonic: encoding.mnemonic)
        else { return nil }
        switch operation {
        case .imul where encoding.operands.count == 1: return .multiply
        case .jmp where form != .immediate: return .jmpIndirect
        case .call where form != .immediate: return .callIndirect
        default: return operation
        }
    }

    private func vectorOperation(_ encoding: Encoding) -> VectorOperation? {
        let none = ZydisDecodedOperand()
        let operands = encoding.operands + [none, none]
        return VectorOperation(
            mnemonic: encoding.mnemonic, destination: operands[0], source: operands[1])
    }

    private mutating func setWidth(_ encoding: Encoding) {
        width = encoding.operandWidth / 8
        guard let first = encoding.operands.first, !encoding.isStack else { return }
        if first.type != ZYDIS_OPERAND_TYPE_IMMEDIATE { width = Self.bytes(first) }
        guard encoding.operands.count > 1 else { return }
        sourceWidth = Self.bytes(encoding.operands[1])
        if encoding.mnemonic == ZYDIS_MNEMONIC_OUT { width = sourceWidth }
        // Of memory, Zydis counts 4 bytes here even where 66h makes it a load of 2.
        if encoding.mnemonic == ZYDIS_MNEMONIC_MOVSXD && width == 2 { sourceWidth = 2 }
    }

    /// The stack slot of a segment register's PUSH or POP; a unit of INS and OUTS.
    private mutating func setSystemWidth(_ operation: SystemOperation, _ encoding: Encoding) {
        switch operation {
        case .pushSegment, .popSegment: width = encoding.operandWidth / 8
        case .inputString, .outputString:
            for operand in encoding.operands where operand.type == ZYDIS_OPERAND_TYPE_MEMORY {
                width = Self.bytes(operand)
            }
        default: return
        }
    }

    /// That of the memory operand, else of the general register, else 16.
    private mutating func setVectorWidth(_ encoding: Encoding) {
        width = 16
        for operand in encoding.operands where operand.type == ZYDIS_OPERAND_TYPE_REGISTER {
            if RegisterOperand(operand.reg.value).kind == .general { width = Self.bytes(operand) }
        }
        for operand in encoding.operands where operand.type == ZYDIS_OPERAND_TYPE_MEMORY {
            width = Self.bytes(operand)
        }
    }

    private static func bytes(_ operand: ZydisDecodedOperand) -> UInt8 {
        UInt8(exactly: operand.size / 8) ?? 0
    }
}
