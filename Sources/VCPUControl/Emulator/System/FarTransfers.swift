/// Far JMP, CALL and RET, and IRET (APM volume 3). Targets are 64-bit code: a far transfer to
/// other code is not emulated and stops the run.
extension EmulatedVCPU {
    mutating func farJump(_ instruction: Instruction) throws(Fault) {
        let (offset, selector) = try farPointer(instruction)
        let code = try directTarget(selector)
        rip = try canonical(offset)
        system.cs = code
    }

    mutating func farCall(_ instruction: Instruction) throws(Fault) {
        let (offset, selector) = try farPointer(instruction)
        let code = try directTarget(selector)
        let target = try canonical(offset)
        let size = instruction.width &- 2
        let width = UInt64(size)
        let top = gpr[4] &- 2 &* width
        try checkWritable(top, count: Int(2 &* width), .ss)
        let next = rip &+ UInt64(instruction.length)
        try storeOffset(next, size, at: top, .ss)
        let old = UInt64(system.cs.selector)
        try storeOffset(old, size, at: top &+ width, .ss)
        gpr[4] = top
        rip = target
        system.cs = code
    }

    mutating func farReturn(_ instruction: Instruction) throws(Fault) {
        let width = UInt64(instruction.width)
        let top = gpr[4]
        let offset = try loadOffset(instruction.width, at: top, .ss)
        let selector = try popSelector(instruction.width, at: top &+ width)
        let level = UInt8(selector & 3)
        let code = try returnTarget(selector)
        let target = try canonical(offset)
        let released = top &+ 2 &* width &+ instruction.immediate
        if level == system.cpl {
            gpr[4] = released
        } else {
            let stack = try loadOffset(instruction.width, at: released, .ss)
            let next = try popSelector(instruction.width, at: released &+ width)
            system.ss = try stackSegment(next, level: level)
            gpr[4] = stack &+ instruction.immediate
            arrive(at: level)
        }
        system.cs = code
        rip = target
    }

    /// IRETQ, IRETD or IRET: RIP, CS, RFLAGS, RSP and SS are popped always.
    mutating func interruptReturn(_ instruction: Instruction) throws(Fault) {
        guard flags.value & FlagBits.nestedTask == 0 else { throw .generalProtection() }
        let (width, step) = (instruction.width, UInt64(instruction.width))
        let top = gpr[4]
        let offset = try loadOffset(width, at: top, .ss)
        let selector = try popSelector(width, at: top &+ step)
        let newFlags = try loadOffset(width, at: top &+ 2 &* step, .ss)
        let stack = try loadOffset(width, at: top &+ 3 &* step, .ss)
        let stackSelector = try popSelector(width, at: top &+ 4 &* step)
        // Before the checks: what is popped from the wrong place seldom passes them.
        if events.hasDeliveredVC {
            events.watch(.interruptReturn(rip: rip, stack: top, target: offset))
        }
        let level = UInt8(selector & 3)
        let code = try returnTarget(selector)
        let target = try canonical(offset)
        let oldLevel = system.cpl
        system.ss = try stackSegment(stackSelector, level: level)
        restoreFlags(newFlags, width: width, level: oldLevel)
        gpr[4] = stack
        system.cs = code
        rip = target
        if level != oldLevel { arrive(at: level) }
    }

    /// The flags that IRET may change: IOPL at CPL 0 only, IF where CPL <= IOPL.
    ///
    /// RF would last until the next instruction is over and only hide instruction breakpoints,
    /// which a vCPU without DebugSwap does not have (REFERENCE 5f): it stays clear.
    private mutating func restoreFlags(_ value: UInt64, width: UInt8, level: UInt8) {
        let old = flags.value
        var mask = FlagBits.defined & ~(FlagBits.virtual8086 | FlagBits.resume | 0x18_0000)
        if level == 0 {
            mask |= FlagBits.virtualInterrupt | FlagBits.virtualInterruptPending
        } else {
            mask &= ~FlagBits.privilegeLevel
        }
        if level > UInt8(old >> 12 & 3) { mask &= ~FlagBits.interrupt }
        if width == 2 { mask &= 0xffff }
        flags.value = old & ~mask | value & mask | FlagBits.alwaysOne
        if (old ^ flags.value) & FlagBits.alignmentCheck != 0 { alignmentCheckChanged() }
    }

    /// The end of a return to an outer privilege level.
    private mutating func arrive(at level: UInt8) {
        memory.setUser(level == 3)
        dropPrivilegedSegments()
    }

    private mutating func popSelector(
        _ width: UInt8, at place: UInt64
    ) throws(Fault) -> UInt16 {
        UInt16(truncatingIfNeeded: try loadOffset(width, at: place, .ss))
    }

    private mutating func farPointer(
        _ instruction: Instruction
    ) throws(Fault) -> (offset: UInt64, selector: UInt16) {
        let place = operandAddress(instruction)
        let size = instruction.width &- 2
        let offset = try loadOffset(size, at: place, instruction.segment)
        let end = place &+ UInt64(size)
        return (offset, try load(UInt16.self, at: end, instruction.segment))
    }

    /// The CS of a far JMP or CALL: the privilege level stays.
    private mutating func directTarget(_ selector: UInt16) throws(Fault) -> Segment {
        var found = try codeDescriptor(selector)
        let level = found.level
        let isAllowed =
            found.isConforming
            ? level <= system.cpl : level == system.cpl && UInt8(selector & 3) <= system.cpl
        guard isAllowed else { throw .generalProtection(Self.code(selector)) }
        return try finish(selector & 0xfffc | UInt16(system.cpl), &found)
    }

    /// The CS of a far RET or IRET: the same or an outer privilege level.
    private mutating func returnTarget(_ selector: UInt16) throws(Fault) -> Segment {
        var found = try codeDescriptor(selector)
        let level = UInt8(selector & 3)
        let isAllowed = found.isConforming ? found.level <= level : found.level == level
        guard level >= system.cpl, isAllowed else {
            throw .generalProtection(Self.code(selector))
        }
        return try finish(selector, &found)
    }

    private mutating func codeDescriptor(_ selector: UInt16) throws(Fault) -> Descriptor {
        guard !Self.isNull(selector) else { throw .generalProtection() }
        let found = try descriptor(selector)
        if !found.isSegment, found.type == Descriptor.SystemType.callGate { throw .unimplemented }
        guard found.isCode else { throw .generalProtection(Self.code(selector)) }
        return found
    }

    private mutating func finish(
        _ selector: UInt16, _ found: inout Descriptor
    ) throws(Fault) -> Segment {
        guard found.isPresent else { throw .notPresent(Self.code(selector)) }
        guard found.isLong else { throw .unimplemented }
        guard !found.isDefault32 else { throw .generalProtection(Self.code(selector)) }
        try markAccessed(selector, &found)
        return found.segment(selector)
    }
}
