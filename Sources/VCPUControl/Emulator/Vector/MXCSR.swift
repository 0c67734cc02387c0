/// The control and status register of SSE; APM volume 1, section 4.2.2.
struct MXCSR: Equatable {
    /// Bits 31…16 are zero.
    private(set) var rawValue: UInt32 = 0x1f80

    /// The bits that can be set, as FXSAVE reports them; misaligned-exception mode is not offered.
    static let mask: UInt32 = 0xffff

    init() {}

    /// `nil` where a reserved bit is set.
    init?(rawValue: UInt32) {
        guard rawValue & ~Self.mask == 0 else { return nil }
        self.rawValue = rawValue
    }

    /// The six floating-point exceptions, in the order of the flag and mask bits.
    struct Exceptions: OptionSet {
        var rawValue: UInt8
        static let invalid = Exceptions(rawValue: 1)
        static let denormal = Exceptions(rawValue: 2)
        static let zeroDivide = Exceptions(rawValue: 4)
        static let overflow = Exceptions(rawValue: 8)
        static let underflow = Exceptions(rawValue: 16)
        static let precision = Exceptions(rawValue: 32)
        /// Those that are found before anything is computed.
        static let beforeComputation: Exceptions = [.invalid, .denormal, .zeroDivide]
    }

    /// The rounding modes, by the value of RC.
    enum Rounding: UInt8 { case nearest, down, up, towardZero }

    var masked: Exceptions { Exceptions(rawValue: UInt8(rawValue >> 7 & 0x3f)) }
    var rounding: Rounding { Rounding(rawValue: UInt8(rawValue >> 13 & 3)) ?? .nearest }
    var denormalsAreZero: Bool { rawValue & 1 << 6 != 0 }
    var flushesToZero: Bool { rawValue & 1 << 15 != 0 }

    /// Sets sticky flags.
    mutating func raise(_ exceptions: Exceptions) { rawValue |= UInt32(exceptions.rawValue) }
}
