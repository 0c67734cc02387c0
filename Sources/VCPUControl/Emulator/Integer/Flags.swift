/// RFLAGS, with the six status flags kept as the last result and its carries.
///
/// An instruction stores two words; a flag is computed when someone asks for it.
struct Flags {
    /// The last result, sign-extended: ZF when zero, SF its top bit, PF the parity of its low byte.
    private var result: UInt64
    /// What the result does not tell; see `Carries`.
    private var carries: UInt64
    /// All bits but the six status flags.
    private var control: UInt64

    /// The bits of `carries`.
    private enum Carries {
        /// CF, then CF ^ OF: the carry out of the top bit and the one into it.
        static let top: UInt64 = 3 << 62
        /// AF: the carry out of bit 3.
        static let auxiliary: UInt64 = 1 << 3
        /// Inverts SF, for values that no result has.
        static let signFlip: UInt64 = 1
        /// Inverts PF, for the same reason.
        static let parityFlip: UInt64 = 1 << 8
    }

    /// The bits of RFLAGS; APM volume 2, section 3.1.6.
    enum Bit {
        static let carry: UInt64 = 1 << 0
        static let parity: UInt64 = 1 << 2
        static let auxiliary: UInt64 = 1 << 4
        static let zero: UInt64 = 1 << 6
        static let sign: UInt64 = 1 << 7
        static let trap: UInt64 = 1 << 8
        static let interrupt: UInt64 = 1 << 9
        static let direction: UInt64 = 1 << 10
        static let overflow: UInt64 = 1 << 11
        static let ioPrivilege: UInt64 = 3 << 12
        static let nestedTask: UInt64 = 1 << 14
        static let resume: UInt64 = 1 << 16
        static let virtual8086: UInt64 = 1 << 17
        static let alignmentCheck: UInt64 = 1 << 18
        static let virtualInterrupt: UInt64 = 1 << 19
        static let virtualInterruptPending: UInt64 = 1 << 20
        static let identification: UInt64 = 1 << 21
        /// CF, PF, AF, ZF, SF and OF.
        static let status = carry | parity | auxiliary | zero | sign | overflow
        /// Bits that exist; bit 1 is always set, the others of no name always clear.
        static let defined: UInt64 = 0x3f_7fd5
    }

    init(value: UInt64 = 2) {
        (result, carries, control) = (0, 0, 0)
        self.value = value
    }

    /// The register as PUSHF stores it, VM and RF included.
    var value: UInt64 {
        get { control | status }
        set {
            control = newValue & Bit.defined & ~Bit.status | 2
            status = newValue
        }
    }

    /// The six status flags at their places in RFLAGS; other bits are clear and ignored.
    var status: UInt64 {
        get {
            bit(carry, Bit.carry) | bit(parity, Bit.parity) | bit(auxiliary, Bit.auxiliary)
                | bit(zero, Bit.zero) | bit(sign, Bit.sign) | bit(overflow, Bit.overflow)
        }
        set {
            let carry = newValue & 1
            let overflow = newValue >> 11 & 1
            result = ~newValue & Bit.zero
            result &<<= 8
            carries =
                carry << 63 | (carry ^ overflow) << 62 | newValue >> 1 & Carries.auxiliary
                | newValue >> 7 & Carries.signFlip | (~newValue & Bit.parity) << 6
        }
    }

    private func bit(_ isSet: Bool, _ mask: UInt64) -> UInt64 { isSet ? mask : 0 }
}

// MARK: - The status flags

extension Flags {
    var carry: Bool {
        @inline(__always) get { carries >> 63 != 0 }
        set { setCarry(newValue, overflow: overflow) }
    }

    var overflow: Bool {
        @inline(__always) get { (carries ^ carries << 1) >> 63 != 0 }
        set { setCarry(carry, overflow: newValue) }
    }

    var zero: Bool {
        @inline(__always) get { result == 0 }
        set { status = newValue ? status | Bit.zero : status & ~Bit.zero }
    }

    var sign: Bool {
        @inline(__always) get { (result >> 63 ^ carries) & 1 != 0 }
        set { status = newValue ? status | Bit.sign : status & ~Bit.sign }
    }

    var parity: Bool {
        @inline(__always) get {
            UInt8(truncatingIfNeeded: result ^ carries >> 8).nonzeroBitCount & 1 == 0
        }
        set { status = newValue ? status | Bit.parity : status & ~Bit.parity }
    }

    var auxiliary: Bool {
        get { carries & Carries.auxiliary != 0 }
        set { status = newValue ? status | Bit.auxiliary : status & ~Bit.auxiliary }
    }

    /// SF differs from OF: less, as signed numbers.
    @inline(__always)
    var less: Bool { sign != overflow }

    /// CF or ZF: below or equal, as unsigned numbers.
    @inline(__always)
    var belowOrEqual: Bool { carry || zero }

    /// Changes CF and OF and keeps the other flags.
    @inline(__always)
    mutating func setCarry(_ carry: Bool, overflow: Bool) {
        let (c, o): (UInt64, UInt64) = (carry ? 1 : 0, overflow ? 1 : 0)
        carries = carries & ~Carries.top | c &<< 63 | (c ^ o) &<< 62
    }

    /// Whether a condition code of Jcc, SETcc and CMOVcc holds: 0…15 as encoded.
    @inline(__always)
    func holds(_ condition: UInt16) -> Bool {
        let base =
            switch condition >> 1 & 7 {
            case 0: overflow
            case 1: carry
            case 2: zero
            case 3: belowOrEqual
            case 4: sign
            case 5: parity
            case 6: less
            default: less || zero
            }
        return base != (condition & 1 != 0)
    }
}

// MARK: - What instructions leave

extension Flags {
    /// Stores the flags of a result with the carry out of each bit.
    @inline(__always)
    mutating func set<T: Word>(_ result: T, carries: T) {
        self.result = result.signExtended
        let wide = UInt64(truncatingIfNeeded: carries)
        self.carries =
            (wide &<< UInt64(64 - T.bitWidth)) & Carries.top | wide & Carries.auxiliary
    }

    /// Stores the flags of a result of logic: CF, OF and AF are clear.
    @inline(__always)
    mutating func setLogic<T: Word>(_ result: T) {
        self.result = result.signExtended
        carries = 0
    }

    /// Stores the flags of a result with CF and OF given as 0 or 1; AF is clear.
    @inline(__always)
    mutating func set<T: Word>(_ result: T, carry: UInt64, overflow: UInt64) {
        self.result = result.signExtended
        carries = carry &<< 63 | (carry ^ overflow) &<< 62
    }

    /// Stores the flags of an increment or decrement: CF stays.
    @inline(__always)
    mutating func setKeepingCarry<T: Word>(_ result: T, carries: T) {
        let old = self.carries & 1 << 63
        set(result, carries: carries)
        let overflow = (self.carries ^ self.carries &<< 1) & 1 << 63
        self.carries = self.carries & Carries.auxiliary | old | (old ^ overflow) &>> 1
    }
}

// MARK: - The control flags

extension Flags {
    var trap: Bool {
        @inline(__always) get { control & Bit.trap != 0 }
        set { setControl(Bit.trap, newValue) }
    }
    var interrupt: Bool {
        get { control & Bit.interrupt != 0 }
        set { setControl(Bit.interrupt, newValue) }
    }
    var direction: Bool {
        @inline(__always) get { control & Bit.direction != 0 }
        set { setControl(Bit.direction, newValue) }
    }
    /// IOPL, 0…3.
    var ioPrivilege: UInt8 {
        get { UInt8(truncatingIfNeeded: control >> 12 & 3) }
        set { control = control & ~Bit.ioPrivilege | UInt64(newValue & 3) << 12 }
    }
    var nestedTask: Bool {
        get { control & Bit.nestedTask != 0 }
        set { setControl(Bit.nestedTask, newValue) }
    }
    var resume: Bool {
        get { control & Bit.resume != 0 }
        set { setControl(Bit.resume, newValue) }
    }
    var alignmentCheck: Bool {
        @inline(__always) get { control & Bit.alignmentCheck != 0 }
        set { setControl(Bit.alignmentCheck, newValue) }
    }

    private mutating func setControl(_ mask: UInt64, _ isSet: Bool) {
        control = isSet ? control | mask : control & ~mask
    }
}
