/// MOV, PUSH and POP of segment registers, LSS/LFS/LGS, and the bases of FS and GS.
extension EmulatedVCPU {
    mutating func moveSegment(
        _ number: UInt8, isWrite: Bool, _ instruction: Instruction
    ) throws(Fault) {
        let name = try segmentName(number)
        guard isWrite else {
            return try writeWord(UInt64(self[segment: name].selector), instruction)
        }
        guard name != .cs else { throw .invalidOpcode }
        try loadSegment(name, try readWord(instruction))
        if name == .ss { suppressTrap() }
    }

    mutating func segmentRegisters(
        _ operation: SystemOperation, _ instruction: Instruction
    ) throws(Fault) {
        switch operation {
        case .pushSegment: try pushSegment(instruction)
        case .popSegment: try popSegment(instruction)
        case .lss: try loadFarPointer(.ss, instruction)
        case .lfs: try loadFarPointer(.fs, instruction)
        default: try loadFarPointer(.gs, instruction)
        }
    }

    /// The segment register of PUSH and POP.
    private func stackOperand(_ instruction: Instruction) throws(Fault) -> SegmentName {
        try segmentName(instruction.destination &- Instruction.segmentRegisters)
    }

    private func segmentName(_ number: UInt8) throws(Fault) -> SegmentName {
        guard let name = SegmentName(rawValue: number) else { throw .invalidOpcode }
        return name
    }

    private mutating func pushSegment(_ instruction: Instruction) throws(Fault) {
        let selector = self[segment: try stackOperand(instruction)].selector
        let top = gpr[4] &- UInt64(instruction.width)
        try storeOffset(UInt64(selector), instruction.width, at: top, .ss)
        gpr[4] = top
    }

    private mutating func popSegment(_ instruction: Instruction) throws(Fault) {
        let name = try stackOperand(instruction)
        let value = try loadOffset(instruction.width, at: gpr[4], .ss)
        try loadSegment(name, UInt16(truncatingIfNeeded: value))
        gpr[4] &+= UInt64(instruction.width)
    }

    /// Offset, then selector behind it.
    private mutating func loadFarPointer(
        _ name: SegmentName, _ instruction: Instruction
    ) throws(Fault) {
        let place = operandAddress(instruction)
        let offset = try loadOffset(instruction.width, at: place, instruction.segment)
        let end = place &+ UInt64(instruction.width)
        try loadSegment(name, try load(UInt16.self, at: end, instruction.segment))
        setRegister(instruction.destination, width: instruction.width, to: offset)
    }

    /// RDFSBASE and its like (#UD without CR4.FSGSBASE), and SWAPGS.
    mutating func segmentBases(
        _ operation: SystemOperation, _ instruction: Instruction
    ) throws(Fault) {
        guard operation != .swapgs else {
            (system.gs.base, msrs.kernelGSBase) = (msrs.kernelGSBase, system.gs.base)
            return
        }
        guard system.cr4 & CR4.fsgsbase != 0 else { throw .invalidOpcode }
        let (number, width) = (instruction.destination, instruction.width)
        let mask: UInt64 = width == 8 ? .max : 0xffff_ffff
        let value = gpr[Int(number & 15)] & mask
        switch operation {
        case .rdfsbase: setRegister(number, width: width, to: system.fs.base)
        case .rdgsbase: setRegister(number, width: width, to: system.gs.base)
        case .wrfsbase: system.fs.base = try canonical(value)
        default: system.gs.base = try canonical(value)
        }
    }

    /// The value, or #GP(0) where it is no canonical address.
    func canonical(_ value: UInt64) throws(Fault) -> UInt64 {
        guard Self.isCanonical(value) else { throw .generalProtection() }
        return value
    }
}
