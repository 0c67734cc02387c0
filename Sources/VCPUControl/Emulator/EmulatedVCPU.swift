/// One emulated vCPU: its architectural state and its way to memory.
///
/// The work is in extensions, one per file: running, arithmetic, strings, system instructions, vector instructions,
/// event delivery.
struct EmulatedVCPU {
    /// General-purpose registers in encoding order, then a zero that is never written.
    ///
    /// The zero stands for the part that a memory operand does not have, so that an address is one
    /// sum without a branch.
    var gpr = InlineArray<17, UInt64>(repeating: 0)
    /// The instruction being executed, until it is over.
    var rip: UInt64 = 0
    var flags = Flags()
    /// CR2, CR3 and so on; RIP, RFLAGS and the general-purpose registers are not here.
    var system = SystemRegisters()
    var msrs = ModelSpecificRegisters()
    var vector = VectorState()
    /// Address translation with this vCPU's TLB.
    var memory: VirtualMemory
    /// Instructions executed since launch.
    var retired: UInt64 = 0
    /// The decoded instructions that are being executed.
    var window = CodeWindow()
    /// What RDRAND and RDSEED answer from; the same seed gives the same numbers.
    var entropy: UInt64 = 0
    var events = EventState()

    init(memory: VirtualMemory) {
        self.memory = memory
    }
}
