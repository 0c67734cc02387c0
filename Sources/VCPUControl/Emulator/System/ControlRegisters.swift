/// MOV to and from CR0…CR8, and LMSW (APM volume 2, 3.1).
extension EmulatedVCPU {
    mutating func moveControl(
        _ number: UInt8, isWrite: Bool, _ instruction: Instruction
    ) throws(Fault) {
        if isWrite {
            try setControl(number, gpr[Int(instruction.source & 15)])
        } else {
            gpr[Int(instruction.destination & 15)] = try control(number)
        }
    }

    /// The state outside instructions was assigned: no translation is valid any more.
    mutating func systemStateChanged() {
        memory.setUser(system.cpl == 3)
        memory.flush()
    }

    /// RFLAGS.AC changed outside the system instructions: what it decides is not in the TLB
    /// of supervisor accesses, but in that of user accesses.
    mutating func alignmentCheckChanged() {
        if system.cr0 & CR0.alignmentMask != 0, memory.isUser { memory.flush() }
    }

    private func control(_ number: UInt8) throws(Fault) -> UInt64 {
        switch number {
        case 0: system.cr0
        case 2: system.cr2
        case 3: system.cr3
        case 4: system.cr4
        case 8: system.cr8
        default: throw .invalidOpcode
        }
    }

    private mutating func setControl(_ number: UInt8, _ value: UInt64) throws(Fault) {
        switch number {
        case 0: try setCR0(value)
        case 2: system.cr2 = value
        case 3: try setCR3(value)
        case 4: try setCR4(value)
        case 8:
            guard value < 16 else { throw .generalProtection() }
            system.cr8 = value
        default: throw .invalidOpcode
        }
    }

    /// CR0: PG, PE and NW, CD must go together; ET is always one.
    private mutating func setCR0(_ value: UInt64) throws(Fault) {
        let isPaging = value & CR0.paging != 0
        let isProtected = value & CR0.protection != 0
        let isCachingOdd = value & CR0.notWriteThrough != 0 && value & CR0.cacheDisable == 0
        guard value >> 32 == 0, isProtected || !isPaging, !isCachingOdd else {
            throw .generalProtection()
        }
        guard isPaging else { throw .unimplemented }
        let next = value & CR0.defined | CR0.extensionType
        let changed = system.cr0 ^ next
        system.cr0 = next
        if changed & (CR0.writeProtect | CR0.alignmentMask | CR0.paging) != 0 { memory.flush() }
    }

    /// CR3: the bits beyond physical addresses must be zero, the C-bit aside.
    private mutating func setCR3(_ value: UInt64) throws(Fault) {
        let reserved = (0xfff0_0000_0000_0000 | PageWalk.Bits.beyondPhysical)
        guard value & reserved & ~memory.guest.cBitMask == 0 else { throw .generalProtection() }
        system.cr3 = value
        memory.flush()
    }

    /// CR4: PAE cannot be cleared in long mode.
    private mutating func setCR4(_ value: UInt64) throws(Fault) {
        guard value & ~CR4.offered == 0, value & CR4.physicalAddressExtension != 0 else {
            throw .generalProtection()
        }
        system.cr4 = value
        memory.flush()
    }

    /// LMSW: bits 3:0 of CR0, of which PE cannot be cleared.
    mutating func loadStatusWord(_ value: UInt16) throws(Fault) {
        let loaded = UInt64(value & 0xf) | system.cr0 & CR0.protection
        try setCR0(system.cr0 & ~0xf | loaded)
    }
}
