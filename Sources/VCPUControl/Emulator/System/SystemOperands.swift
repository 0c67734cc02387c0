/// The operand of a MOV that is no general register, by its own number.
enum SystemRegister {
    case segment(UInt8, isWrite: Bool)
    case control(UInt8, isWrite: Bool)
    case debug(UInt8, isWrite: Bool)

    init(_ instruction: Instruction) {
        let isWrite = instruction.destination >= Instruction.segmentRegisters
        let number = isWrite ? instruction.destination : instruction.source
        switch number {
        case Instruction.debugRegisters...:
            self = .debug(number - Instruction.debugRegisters, isWrite: isWrite)
        case Instruction.controlRegisters...:
            self = .control(number - Instruction.controlRegisters, isWrite: isWrite)
        default: self = .segment(number &- Instruction.segmentRegisters, isWrite: isWrite)
        }
    }

    var isSegment: Bool {
        if case .segment = self { true } else { false }
    }
}

/// Operands of system instructions: registers and memory by width.
extension EmulatedVCPU {
    /// Writes a register of the width: 4 bytes clear the upper half, less leave the rest.
    mutating func setRegister(_ number: UInt8, width: UInt8, to value: UInt64) {
        let index = Int(number & 15)
        switch width {
        case 8: gpr[index] = value
        case 4: gpr[index] = value & 0xffff_ffff
        case 2: gpr[index] = gpr[index] & ~0xffff | value & 0xffff
        default: gpr[index] = gpr[index] & ~0xff | value & 0xff
        }
    }

    /// The memory operand's linear address.
    mutating func operandAddress(_ instruction: Instruction) -> UInt64 {
        effectiveAddress(instruction)
    }

    /// Reads a 16-bit operand, register or memory.
    mutating func readWord(_ instruction: Instruction) throws(Fault) -> UInt16 {
        switch instruction.form {
        case .register: UInt16(truncatingIfNeeded: gpr[Int(instruction.destination & 15)])
        case .registerRegister: UInt16(truncatingIfNeeded: gpr[Int(instruction.source & 15)])
        default: try load(UInt16.self, at: operandAddress(instruction), instruction.segment)
        }
    }

    /// Writes a system register: a register operand in full width, memory in 16 bits.
    mutating func writeWord(_ value: UInt64, _ instruction: Instruction) throws(Fault) {
        switch instruction.form {
        case .register, .registerRegister:
            setRegister(instruction.destination, width: instruction.width, to: value)
        default:
            let word = UInt16(truncatingIfNeeded: value)
            try store(word, at: operandAddress(instruction), instruction.segment)
        }
    }

    /// Loads an offset of 2, 4 or 8 bytes.
    mutating func loadOffset(
        _ width: UInt8, at linear: UInt64, _ segment: SegmentName
    ) throws(Fault) -> UInt64 {
        switch width {
        case 2: UInt64(try load(UInt16.self, at: linear, segment))
        case 4: UInt64(try load(UInt32.self, at: linear, segment))
        default: try load(UInt64.self, at: linear, segment)
        }
    }

    /// Stores the low 2, 4 or 8 bytes.
    mutating func storeOffset(
        _ value: UInt64, _ width: UInt8, at linear: UInt64, _ segment: SegmentName
    ) throws(Fault) {
        switch width {
        case 2: try store(UInt16(truncatingIfNeeded: value), at: linear, segment)
        case 4: try store(UInt32(truncatingIfNeeded: value), at: linear, segment)
        default: try store(value, at: linear, segment)
        }
    }

    /// EDX:EAX.
    var edxEAX: UInt64 {
        get { gpr[2] << 32 | gpr[0] & 0xffff_ffff }
        set {
            gpr[0] = newValue & 0xffff_ffff
            gpr[2] = newValue >> 32
        }
    }
}
