/// The first 416 bytes of the area of FXSAVE and XSAVE as quadwords; APM volume 2, section 11.5.
struct SaveArea {
    var words = InlineArray<52, UInt64>(repeating: 0)

    /// Which quadwords belong to which state component.
    static let layout: [(component: StateComponents, words: Range<Int>)] = [
        (.x87, 0..<3), (.sse, 3..<4), (.x87, 4..<20), (.sse, 20..<52),
    ]

    init(words: InlineArray<52, UInt64> = .init(repeating: 0)) { self.words = words }

    /// Lays a state out; the `wide` form has pointers of 64 bits in place of selector and offset.
    init(_ state: VectorState, wide: Bool) {
        var state = state
        let x87 = state.x87
        let pointerMask: UInt64 = wide ? .max : 0xffff_ffff
        words[0] =
            UInt64(x87.control) | UInt64(x87.status) << 16 | UInt64(x87.tags) << 32
            | UInt64(x87.lastOpcode) << 48
        words[1] = x87.lastInstruction & pointerMask
        words[2] = x87.lastOperand & pointerMask
        words[3] = UInt64(state.mxcsr.rawValue) | UInt64(MXCSR.mask) << 32
        for index in 0..<8 {
            words[4 + 2 * index] = x87.stack[index].significand
            words[5 + 2 * index] = UInt64(x87.stack[index].exponent)
        }
        for register in 0..<16 {
            words[20 + 2 * register] = state[UInt8(register)][0]
            words[21 + 2 * register] = state[UInt8(register)][1]
        }
    }

    /// The x87 state in the area.
    func x87(wide: Bool) -> X87State {
        let pointerMask: UInt64 = wide ? .max : 0xffff_ffff
        var result = X87State()
        result.control = UInt16(truncatingIfNeeded: words[0])
        result.status = UInt16(truncatingIfNeeded: words[0] >> 16)
        result.tags = UInt8(truncatingIfNeeded: words[0] >> 32)
        result.lastOpcode = UInt16(truncatingIfNeeded: words[0] >> 48) & 0x7ff
        result.lastInstruction = words[1] & pointerMask
        result.lastOperand = words[2] & pointerMask
        for index in 0..<8 {
            result.stack[index] = .init(
                significand: words[4 + 2 * index],
                exponent: UInt16(truncatingIfNeeded: words[5 + 2 * index]))
        }
        return result
    }

    /// MXCSR in the area; `nil` where a reserved bit is set.
    var mxcsr: MXCSR? { MXCSR(rawValue: UInt32(truncatingIfNeeded: words[3])) }

    /// An XMM register in the area.
    func xmm(_ register: UInt8) -> XMM {
        XMM(words[20 + 2 * Int(register & 15)], words[21 + 2 * Int(register & 15)])
    }
}

/// State components by their bit in XCR0 and XSTATE_BV.
struct StateComponents: OptionSet {
    var rawValue: UInt64
    static let x87 = StateComponents(rawValue: 1)
    static let sse = StateComponents(rawValue: 2)
}
