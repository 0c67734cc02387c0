/// The 128 bits of an XMM register, low quadword first.
typealias XMM = SIMD2<UInt64>

/// The x87 and SSE state of a vCPU.
///
/// Unsafe: an XMM register is reached by a pointer to the first, at an index of four bits.
struct VectorState {
    private var registers = InlineArray<16, XMM>(repeating: .zero)
    var mxcsr = MXCSR()
    var x87 = X87State()

    /// An XMM register by its number, 0…15.
    ///
    /// By way of a pointer, and `mutating` for that: a plain read of one element copies them all.
    subscript(register: UInt8) -> XMM {
        @inline(__always) mutating get {
            unsafe withUnsafeMutablePointer(to: &registers) {
                unsafe UnsafeRawPointer($0).load(
                    fromByteOffset: Int(register & 15) * 16, as: XMM.self)
            }
        }
        @inline(__always) set { registers[Int(register & 15)] = newValue }
    }
}

/// The x87 state, which is kept, saved and restored, but not computed with.
///
/// The initial values are those of FNINIT; APM volume 1, section 6.2.
struct X87State {
    /// A register in extended precision, as FXSAVE stores it.
    struct Register: Equatable {
        var significand: UInt64 = 0
        /// Sign and biased exponent.
        var exponent: UInt16 = 0
    }

    /// The stack in the order ST0…ST7.
    var stack = InlineArray<8, Register>(repeating: Register())
    /// The reserved bits have fixed values: bit 6 is set, bits 7 and 15…13 are clear.
    var control: UInt16 {
        get { maskedControl | 0x40 }
        set { maskedControl = newValue & 0x1f3f }
    }
    private var maskedControl: UInt16 = 0x33f
    /// Without the summary bits ES and B, which follow from `control`.
    private var exceptionsAndTop: UInt16 = 0
    /// One bit for each physical register that is not empty: FXSAVE's form of the tag word.
    var tags: UInt8 = 0
    var lastOpcode: UInt16 = 0
    var lastInstruction: UInt64 = 0
    var lastOperand: UInt64 = 0

    /// An unmasked exception waits to be reported by the next x87 instruction.
    var isPending: Bool { exceptionsAndTop & ~control & 0x3f != 0 }

    var status: UInt16 {
        get { exceptionsAndTop | (isPending ? 0x8080 : 0) }
        set { exceptionsAndTop = newValue & 0x7f7f }
    }
}

extension X87State {
    /// FNINIT: the registers are empty, but keep their contents.
    mutating func initialize() {
        empty()
        let contents = stack
        self = X87State()
        stack = contents
    }

    /// EMMS: all registers are empty, and the first is the top of the stack.
    mutating func empty() {
        let old = stack
        let top = Int(status >> 11 & 7)
        for register in 0..<8 { stack[register] = old[(register - top) & 7] }
        status &= 0x47ff
        tags = 0
    }
}
