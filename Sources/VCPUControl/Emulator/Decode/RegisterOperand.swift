internal import CZydis

/// A register as an instruction names it.
struct RegisterOperand {
    /// Which file a register belongs to.
    enum Kind { case general, segment, control, debug, vector, other }

    let kind: Kind
    /// As `Instruction.destination` has it.
    let number: UInt8

    init(_ register: ZydisRegister) {
        let identifier = UInt8(truncatingIfNeeded: Int(ZydisRegisterGetId(register)))
        switch ZydisRegisterGetClass(register) {
        case ZYDIS_REGCLASS_GPR8: (kind, number) = (.general, Self.byteNumber(identifier))
        case ZYDIS_REGCLASS_GPR16, ZYDIS_REGCLASS_GPR32, ZYDIS_REGCLASS_GPR64:
            (kind, number) = (.general, identifier)
        case ZYDIS_REGCLASS_SEGMENT:
            (kind, number) = (.segment, identifier &+ Instruction.segmentRegisters)
        case ZYDIS_REGCLASS_CONTROL:
            (kind, number) = (.control, identifier &+ Instruction.controlRegisters)
        case ZYDIS_REGCLASS_DEBUG:
            (kind, number) = (.debug, identifier &+ Instruction.debugRegisters)
        case ZYDIS_REGCLASS_XMM: (kind, number) = (.vector, identifier)
        default: (kind, number) = (.other, 0)
        }
    }

    /// As `Instruction.base` and `Instruction.index` have it.
    var addressNumber: UInt8 { kind == .general ? number : Instruction.noRegister }

    /// Zydis counts AL…BL, AH…BH, SPL…DIL, R8B…R15B.
    private static func byteNumber(_ identifier: UInt8) -> UInt8 {
        switch identifier {
        case 0..<4: identifier
        case 4..<8: identifier + 12
        default: identifier &- 4
        }
    }

    /// The kinds of all register operands of an instruction.
    struct Classes: OptionSet {
        let rawValue: UInt8
        static let general = Classes(rawValue: 1)
        static let privileged = Classes(rawValue: 2)
        static let vector = Classes(rawValue: 4)
        /// x87, MMX, AVX and others that no part of the emulator knows.
        static let other = Classes(rawValue: 8)
    }
}

extension RegisterOperand.Classes {
    init(_ operands: [ZydisDecodedOperand]) {
        self = []
        for operand in operands where operand.type == ZYDIS_OPERAND_TYPE_REGISTER {
            switch RegisterOperand(operand.reg.value).kind {
            case .general: insert(.general)
            case .segment, .control, .debug: insert(.privileged)
            case .vector: insert(.vector)
            case .other: insert(.other)
            }
        }
    }
}
