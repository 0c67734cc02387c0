/// SYSCALL and SYSRET as AMD has them (APM volume 2, 6.1; volume 3).
extension EmulatedVCPU {
    mutating func systemCall(_ instruction: Instruction) throws(Fault) {
        guard system.efer & Efer.systemCallExtensions != 0 else { throw .invalidOpcode }
        suppressTrapIfMasked()
        gpr[1] = rip &+ UInt64(instruction.length)
        gpr[11] = flags.value & ~FlagBits.resume
        rip = msrs.lstar
        let selector = UInt16(truncatingIfNeeded: msrs.star >> 32)
        system.cs = Segment(selector: selector & 0xfffc, attributes: 0xa9b)
        system.ss = Segment(selector: selector & 0xfffc &+ 8, attributes: 0xc93)
        flags.value = flags.value & ~(msrs.sfmask | FlagBits.resume) | FlagBits.alwaysOne
        memory.setUser(false)
    }

    /// SYSRETQ; SYSRET to 32-bit code is not emulated.
    ///
    /// SS keeps its attributes but for the privilege level, and a RIP that is not canonical faults
    /// at its first fetch: AMD's behaviour.
    mutating func systemReturn(_ instruction: Instruction) throws(Fault) {
        guard system.efer & Efer.systemCallExtensions != 0 else { throw .invalidOpcode }
        guard system.cpl == 0 else { throw .generalProtection() }
        guard instruction.width == 8 else { throw .unimplemented }
        let selector = UInt16(truncatingIfNeeded: msrs.star >> 48)
        system.cs = Segment(selector: (selector &+ 16) | 3, attributes: 0xafb)
        system.ss.selector = (selector &+ 8) | 3
        system.ss.attributes |= 0x60
        let mask = FlagBits.defined & ~(FlagBits.resume | FlagBits.virtual8086)
        flags.value = gpr[11] & mask | FlagBits.alwaysOne
        rip = gpr[1]
        memory.setUser(true)
        alignmentCheckChanged()
    }

    /// A handler that masks TF is not stepped into.
    private mutating func suppressTrapIfMasked() {
        if msrs.sfmask & FlagBits.trap != 0 { suppressTrap() }
    }
}
