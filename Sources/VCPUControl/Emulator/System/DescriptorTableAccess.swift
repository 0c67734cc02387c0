/// LGDT, LIDT, LLDT, LTR and their stores; LAR, LSL, VERR, VERW.
extension EmulatedVCPU {
    mutating func descriptorTables(
        _ operation: SystemOperation, _ instruction: Instruction
    ) throws(Fault) {
        switch operation {
        case .lgdt: system.gdtr = try loadTable(instruction)
        case .lidt: system.idtr = try loadTable(instruction)
        case .sgdt: try storeTable(system.gdtr, instruction)
        case .sidt: try storeTable(system.idtr, instruction)
        case .lldt: try loadLDT(try readWord(instruction))
        case .ltr: try loadTaskRegister(try readWord(instruction))
        case .sldt: try writeWord(UInt64(system.ldtr.selector), instruction)
        default: try writeWord(UInt64(system.tr.selector), instruction)
        }
    }

    /// 2 bytes limit, 8 bytes base.
    private mutating func loadTable(_ instruction: Instruction) throws(Fault) -> DescriptorTable {
        let place = operandAddress(instruction)
        let limit = try load(UInt16.self, at: place, instruction.segment)
        let base = try load(UInt64.self, at: place &+ 2, instruction.segment)
        return DescriptorTable(base: try canonical(base), limit: limit)
    }

    private mutating func storeTable(
        _ table: DescriptorTable, _ instruction: Instruction
    ) throws(Fault) {
        let place = operandAddress(instruction)
        try checkWritable(place, count: 10, instruction.segment)
        try store(table.limit, at: place, instruction.segment)
        try store(table.base, at: place &+ 2, instruction.segment)
    }

    /// LAR, LSL, VERR, VERW: ZF says whether the descriptor may be used like that.
    mutating func inspectDescriptor(
        _ operation: SystemOperation, _ instruction: Instruction
    ) throws(Fault) {
        let selector = try readWord(instruction)
        guard let found = try visibleDescriptor(selector, operation) else {
            flags.value &= ~FlagBits.zero
            return
        }
        flags.value |= FlagBits.zero
        let (number, width) = (instruction.destination, instruction.width)
        switch operation {
        case .lar: setRegister(number, width: width, to: found.raw >> 32 & 0xff_ff00)
        case .lsl: setRegister(number, width: width, to: UInt64(found.limit))
        default: break
        }
    }

    /// The descriptor of a selector, where type and privilege let the instruction see it.
    private mutating func visibleDescriptor(
        _ selector: UInt16, _ operation: SystemOperation
    ) throws(Fault) -> Descriptor? {
        guard !Self.isNull(selector), let place = descriptorAddress(selector) else { return nil }
        let found = Descriptor(raw: try loadSystem(place))
        guard found.isVisible(to: operation) else { return nil }
        let weakest = max(system.cpl, UInt8(selector & 3))
        return found.isConforming && operation != .verw || weakest <= found.level ? found : nil
    }
}

extension Descriptor {
    /// Whether the type is one that the instruction accepts in long mode.
    fileprivate func isVisible(to operation: SystemOperation) -> Bool {
        switch operation {
        case .verr: return isReadable
        case .verw: return isWritableData
        default:
            if isSegment { return true }
            let types = [SystemType.ldt, SystemType.availableTSS, SystemType.busyTSS]
            return types.contains(type) || operation == .lar && type == SystemType.callGate
        }
    }
}
