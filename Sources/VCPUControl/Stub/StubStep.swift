/// A step that is under way.
struct StubStep {
    let instruction: SteppedInstruction
    /// Its address.
    let start: UInt64
    /// Whether the guest itself had RFLAGS.TF set.
    let hadTrap: Bool
    /// The INT3 that ends the step, where no trap of TF does.
    let landing: UInt64?
    /// Whether the instruction is counted already.
    var isCounted = false

    /// RFLAGS.TF.
    static let trap: UInt64 = 0x100

    init(_ instruction: SteppedInstruction, _ registers: RegisterFile, landing: UInt64?) {
        self.instruction = instruction
        self.landing = landing
        start = registers[.rip]
        hadTrap = registers[.rflags] & Self.trap != 0
    }

    /// The guest's registers after the step, without the TF that is not its own.
    func mended(_ registers: RegisterFile) -> RegisterFile {
        guard landing == nil else { return registers }
        var registers = registers
        registers[.rflags] = registers[.rflags] & ~Self.trap | (hadTrap ? Self.trap : 0)
        return registers
    }
}
