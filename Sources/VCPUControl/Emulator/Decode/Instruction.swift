/// One decoded instruction in the compact form that is cached and executed; 32 bytes.
struct Instruction {
    var operation: Operation = .undecoded
    /// Which operands there are and where they lie.
    var form: OperandForm = .none
    /// Size of the operation in bytes: 1, 2, 4, 8 or 16.
    ///
    /// For `.vector` that of the memory operand, else of the general register, else 16; for
    /// `.system` that of the first operand, for IN and OUT that of the data, for PUSH and POP that
    /// of the instruction. 0: over 255.
    var width: UInt8 = 0
    /// Size of the source in bytes where it differs (MOVZX, MOVSX, …).
    var sourceWidth: UInt8 = 0
    /// Bytes of the instruction, 1…15.
    var length: UInt8 = 0
    /// A register number: 0…15; for bytes 16…19 are AH, CH, DH, BH; for vectors XMM0…15.
    ///
    /// For `.system` also segment, control and debug registers, by their own numbers plus
    /// `segmentRegisters`, `controlRegisters` and `debugRegisters`.
    var destination: UInt8 = 0
    var source: UInt8 = 0
    /// Parts of the memory operand: register numbers, or `Instruction.noRegister`.
    var base: UInt8 = Instruction.noRegister
    var index: UInt8 = Instruction.noRegister
    /// Shift of the index: 0…3.
    var scale: UInt8 = 0
    var segment: SegmentName = .ds
    var prefixes: Prefixes = []
    /// A `SystemOperation` or `VectorOperation`, where `operation` is `.system` or `.vector`; a condition code.
    var detail: UInt16 = 0
    /// The register of a third operand.
    var third: UInt8 = 0
    /// The operation under a breakpoint.
    var overlaid: Operation = .undecoded
    /// Of the memory operand; with `.ripRelative` from the start of this instruction.
    var displacement: Int64 = 0
    /// The immediate, sign-extended as the instruction asks; a branch target relative to the next instruction.
    var immediate: UInt64 = 0

    /// The index of the zero in `EmulatedVCPU.gpr`.
    static let noRegister: UInt8 = 16

    static let segmentRegisters: UInt8 = 32
    static let controlRegisters: UInt8 = 48
    static let debugRegisters: UInt8 = 64

    struct Prefixes: OptionSet {
        var rawValue: UInt8
        static let lock = Prefixes(rawValue: 1)
        static let rep = Prefixes(rawValue: 2)
        static let repne = Prefixes(rawValue: 4)
        /// 32-bit addresses (67h).
        static let address32 = Prefixes(rawValue: 8)
        /// The address is more than base, index and displacement: 32-bit, or relative to FS or GS.
        static let specialAddress = Prefixes(rawValue: 16)
        /// The address is relative to RIP.
        static let ripRelative = Prefixes(rawValue: 32)
    }
}

/// Where the operands of an instruction lie: destination first.
enum OperandForm: UInt8 {
    case none, register, memory, immediate
    case registerRegister, registerMemory, memoryRegister, registerImmediate, memoryImmediate
    /// Three operands: the last is the immediate.
    case registerRegisterImmediate, registerMemoryImmediate, memoryRegisterImmediate
    /// Three registers, or two and memory: the third is in `third`.
    case registerRegisterRegister, registerMemoryRegister, memoryRegisterRegister
    case registerRegisterMemory
    case immediateRegister, immediateImmediate
}
