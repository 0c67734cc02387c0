/// MOV to and from debug registers, and the single-step trap.
///
/// Without DebugSwap DR7 is intercepted and never changes, so DR0…DR3 are without effect and DR7.GD
/// is never set (REFERENCE 5f).
extension EmulatedVCPU {
    mutating func moveDebug(
        _ name: UInt8, isWrite: Bool, _ instruction: Instruction
    ) throws(Fault) {
        let number = try debugNumber(name)
        if number == 7 {
            throw .vmmCommunication(isWrite ? InterceptCode.writeDR7 : InterceptCode.readDR7)
        }
        if isWrite {
            try setDebug(number, gpr[Int(instruction.source & 15)])
        } else {
            gpr[Int(instruction.destination & 15)] =
                number == 6 ? system.dr6 : events.debugAddresses[number]
        }
    }

    /// DR4 and DR5 are other names of DR6 and DR7, unless CR4.DE makes them undefined.
    private func debugNumber(_ number: UInt8) throws(Fault) -> Int {
        switch number {
        case 0...3, 6, 7: return Int(number)
        case 4, 5:
            guard system.cr4 & CR4.debugExtensions == 0 else { throw .invalidOpcode }
            return Int(number) + 2
        default: throw .invalidOpcode
        }
    }

    private mutating func setDebug(_ number: Int, _ value: UInt64) throws(Fault) {
        guard number == 6 else {
            events.debugAddresses[number] = value
            return
        }
        guard value >> 32 == 0 else { throw .generalProtection() }
        system.dr6 = value & 0xe00f | 0xffff_0ff0
    }

    /// The single-step trap behind an instruction that began with RFLAGS.TF set.
    ///
    /// #DB is intercepted, so it arrives as #VC(0x41); DR6.BS is set, as the intercept comes after.
    mutating func afterInstruction() -> Fault? {
        guard !events.suppressesTrap else {
            events.suppressesTrap = false
            return nil
        }
        system.dr6 |= 1 << 14
        return .debugTrap
    }

    /// The instruction at hand lets no single-step trap through.
    mutating func suppressTrap() {
        if flags.value & FlagBits.trap != 0 { events.suppressesTrap = true }
    }
}
