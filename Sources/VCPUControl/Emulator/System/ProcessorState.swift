/// Small system instructions: time stamp, XCR0, interrupt and alignment flags, INVLPG.
extension EmulatedVCPU {
    /// The time stamp counter: instructions that the VM has executed.
    var timeStamp: UInt64 { events.timeStampBase &+ retired }

    mutating func processorState(
        _ operation: SystemOperation, _ instruction: Instruction
    ) throws(Fault) {
        switch operation {
        case .rdtsc, .rdtscp:
            guard system.cr4 & CR4.timeStampDisable == 0 || system.cpl == 0 else {
                throw .generalProtection()
            }
            edxEAX = timeStamp
            if operation == .rdtscp { gpr[1] = msrs.tscAux }
        case .rdpid: gpr[Int(instruction.destination & 15)] = msrs.tscAux
        case .xgetbv, .xsetbv: try extendedControl(isWrite: operation == .xsetbv)
        case .cli: try setInterruptFlag(false)
        case .sti: try setInterruptFlag(true)
        case .clac: flags.value &= ~FlagBits.alignmentCheck
        case .stac: flags.value |= FlagBits.alignmentCheck
        default: memory.flush()  // INVLPG: a large page has many entries here
        }
    }

    /// XCR0: x87 is always on, and SSE is all else that there is.
    private mutating func extendedControl(isWrite: Bool) throws(Fault) {
        guard system.cr4 & CR4.osxsave != 0 else { throw .invalidOpcode }
        guard !isWrite || system.cpl == 0, gpr[1] & 0xffff_ffff == 0 else {
            throw .generalProtection()
        }
        guard isWrite else {
            edxEAX = system.xcr0
            return
        }
        guard edxEAX & ~3 == 0, edxEAX & 1 != 0 else { throw .generalProtection() }
        system.xcr0 = edxEAX
    }

    /// CLI and STI: #GP where CPL > IOPL.
    private mutating func setInterruptFlag(_ value: Bool) throws(Fault) {
        guard system.cpl <= UInt8(flags.value >> 12 & 3) else { throw .generalProtection() }
        flags.value = flags.value & ~FlagBits.interrupt | (value ? FlagBits.interrupt : 0)
    }
}
