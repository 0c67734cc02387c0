import CZydis

/// A memory operand, so far as its address goes.
struct FuzzMemoryOperand {
    let base: Int?
    let index: Int?
    /// AL as the index of XLAT.
    let hasByteIndex: Bool
    let isRelative: Bool
    let scale: UInt64
    var displacement: UInt64
    /// 32 or 64.
    let addressWidth: UInt8
    /// Bytes that are accessed.
    let size: Int
    /// The operand of a push or pop, which no operand of the text names.
    let isHidden: Bool

    /// `nil` where an operand accesses no memory, or through FS or GS.
    init?(_ operand: ZydisDecodedOperand, addressWidth: UInt8) {
        guard operand.type == ZYDIS_OPERAND_TYPE_MEMORY else { return nil }
        let memory = operand.mem
        guard memory.type == ZYDIS_MEMOP_TYPE_MEM else { return nil }
        base = FuzzInstruction.general(memory.base)
        index = FuzzInstruction.general(memory.index)
        hasByteIndex = ZydisRegisterGetClass(memory.index) == ZYDIS_REGCLASS_GPR8
        isRelative = memory.base == ZYDIS_REGISTER_RIP || memory.base == ZYDIS_REGISTER_EIP
        scale = UInt64(max(memory.scale, 1))
        displacement = UInt64(bitPattern: memory.disp.value)
        self.addressWidth = addressWidth
        size = Int(operand.size) / 8
        isHidden = operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN
    }

    func address(_ registers: InlineArray<16, UInt64>, next: UInt64) -> UInt64 {
        var sum = displacement
        if let base { sum &+= registers[base] }
        if let index {
            sum &+= (hasByteIndex ? registers[index] & 0xff : registers[index]) &* scale
        }
        if isRelative { sum &+= next }
        return addressWidth == 32 ? sum & 0xffff_ffff : sum
    }

    /// Changes a register so that the operand comes to lie at a target, or near it.
    ///
    /// - Returns: by how much the displacement has to change, where no register takes part.
    func aim(
        _ registers: inout InlineArray<16, UInt64>, at target: UInt64, next: UInt64
    ) -> UInt64? {
        let distance = target &- address(registers, next: next)
        switch (base, index) {
        case (let base?, let index?) where base == index && !hasByteIndex:
            registers[base] = (target &- displacement) / (scale + 1)
        case (let base?, _): registers[base] &+= distance
        case (nil, let index?):
            registers[index] &+= UInt64(bitPattern: Int64(bitPattern: distance) / Int64(scale))
        case (nil, nil): return distance
        }
        return nil
    }
}
