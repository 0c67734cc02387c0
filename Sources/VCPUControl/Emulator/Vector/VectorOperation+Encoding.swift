internal import CZydis

extension VectorOperation {
    /// The operation of a decoded instruction, by the first two of its operands.
    ///
    /// `nil` where it is no vector instruction or has an operand in an MMX register.
    init?(
        mnemonic: ZydisMnemonic, destination: ZydisDecodedOperand, source: ZydisDecodedOperand
    ) {
        let (to, from) = (destination.registerClass, source.registerClass)
        guard to != ZYDIS_REGCLASS_MMX && from != ZYDIS_REGCLASS_MMX else { return nil }
        self.init(mnemonic: mnemonic)
        switch self {
        case .move(.doubleword), .move(.quadword):
            if to == ZYDIS_REGCLASS_GPR32 { self = .move(.doublewordToGeneral) }
            if to == ZYDIS_REGCLASS_GPR64 { self = .move(.quadwordToGeneral) }
            if from == ZYDIS_REGCLASS_GPR32 { self = .move(.doublewordFromGeneral) }
            if from == ZYDIS_REGCLASS_GPR64 { self = .move(.quadwordFromGeneral) }
        case .convert(let conversion):
            let size = conversion.isFromInteger ? source.size : destination.size
            if size == 64 { self = .convert(conversion.withQuadword) }
        default: break
        }
    }
}

extension ZydisDecodedOperand {
    /// The class of the register; invalid where the operand is none.
    fileprivate var registerClass: ZydisRegisterClass {
        type == ZYDIS_OPERAND_TYPE_REGISTER
            ? ZydisRegisterGetClass(reg.value) : ZYDIS_REGCLASS_INVALID
    }
}

/// A group in the high byte, the operation in the low one.
extension VectorOperation: RawRepresentable {
    init?(rawValue: UInt16) {
        let low = UInt8(truncatingIfNeeded: rawValue)
        switch rawValue >> 8 {
        case 0: self.init(VectorMove(rawValue: low).map(Self.move))
        case 1: self.init(PackedInteger(rawValue: low).map(Self.integer))
        case 2: self.init(PackedShift(rawValue: low).map(Self.shift))
        case 3: self.init(PackedShuffle(rawValue: low).map(Self.shuffle))
        case 4: self.init(FloatConversion(rawValue: low).map(Self.convert))
        case 5: self.init(StateOperation(rawValue: low).map(Self.state))
        case 6:
            guard let operation = FloatOperation(rawValue: low >> 2),
                let shape = FloatShape(rawValue: low & 3)
            else { return nil }
            self = .float(operation, shape)
        default: return nil
        }
    }

    private init?(_ operation: VectorOperation?) {
        guard let operation else { return nil }
        self = operation
    }

    var rawValue: UInt16 {
        switch self {
        case .move(let operation): UInt16(operation.rawValue)
        case .integer(let operation): 0x100 | UInt16(operation.rawValue)
        case .shift(let operation): 0x200 | UInt16(operation.rawValue)
        case .shuffle(let operation): 0x300 | UInt16(operation.rawValue)
        case .convert(let operation): 0x400 | UInt16(operation.rawValue)
        case .state(let operation): 0x500 | UInt16(operation.rawValue)
        case .float(let operation, let shape):
            0x600 | UInt16(operation.rawValue << 2 | shape.rawValue)
        }
    }
}
