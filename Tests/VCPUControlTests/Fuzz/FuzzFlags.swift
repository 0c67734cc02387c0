import CZydis

extension FuzzInstruction {
    /// Status flags that the instruction leaves undefined, given its operands.
    func undefinedFlags(_ state: MachineState) -> UInt64 {
        let status: UInt64 = 0x8d5
        if let shift = shiftKind { return shift.undefined(count: shiftCount(state), size: size) }
        return undefinedByZydis & status
    }

    /// Bits of the first operand.
    private var size: Int { operands.isEmpty ? 0 : Int(operands[0].size) }

    /// The count of a shift or rotate, masked as the processor does.
    func shiftCount(_ state: MachineState) -> Int {
        let mask: UInt64 = size == 64 ? 63 : 31
        let number = shiftKind == .double ? 2 : 1
        guard number < operands.count else { return 1 }
        if operands[number].type == ZYDIS_OPERAND_TYPE_IMMEDIATE {
            return unsafe Int(operands[number].imm.value.u & mask)
        }
        return Int(state.registers[1] & mask)
    }

    /// The legacy shifts and rotates, whose flags depend on the count.
    enum ShiftKind {
        case logical, arithmetic, rotate, double

        /// APM volume 3: OF for counts other than 1, AF always, CF past the operand's end.
        func undefined(count: Int, size: Int) -> UInt64 {
            let (carry, auxiliary, overflow): (UInt64, UInt64, UInt64) = (1, 1 << 4, 1 << 11)
            guard count != 0 else { return 0 }
            let ofOverflow = count == 1 ? 0 : overflow
            switch self {
            case .rotate: return ofOverflow
            case .arithmetic: return ofOverflow | auxiliary
            case .logical: return ofOverflow | auxiliary | (count > size ? carry : 0)
            case .double: return ofOverflow | auxiliary
            }
        }
    }

    var shiftKind: ShiftKind? {
        switch mnemonic {
        case ZYDIS_MNEMONIC_SHL, ZYDIS_MNEMONIC_SHR: .logical
        case ZYDIS_MNEMONIC_SAR: .arithmetic
        case ZYDIS_MNEMONIC_ROL, ZYDIS_MNEMONIC_ROR, ZYDIS_MNEMONIC_RCL, ZYDIS_MNEMONIC_RCR: .rotate
        case ZYDIS_MNEMONIC_SHLD, ZYDIS_MNEMONIC_SHRD: .double
        default: nil
        }
    }

    /// Whether the destination itself is undefined.
    func hasUndefinedResult(_ state: MachineState) -> Bool {
        switch mnemonic {
        case ZYDIS_MNEMONIC_BSWAP: size == 16
        case ZYDIS_MNEMONIC_SHLD, ZYDIS_MNEMONIC_SHRD: size == 16 && shiftCount(state) > 16
        // The host has state components that the emulator has not.
        case ZYDIS_MNEMONIC_XSAVE, ZYDIS_MNEMONIC_XSAVE64, ZYDIS_MNEMONIC_XRSTOR,
            ZYDIS_MNEMONIC_XRSTOR64:
            (state.registers[0] | state.registers[2] << 2) & 0xffff_ffff > 3
        default: false
        }
    }
}
