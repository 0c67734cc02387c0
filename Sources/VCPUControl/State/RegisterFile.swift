/// The values of all registers of one vCPU at one moment.
package struct RegisterFile: Sendable, Equatable {
    /// The general-purpose registers in encoding order: one vector, for it is copied at each step.
    private var general = SIMD16<UInt64>.zero
    private var rip: UInt64 = 0
    private var rflags: UInt64 = 0

    package init() {}

    /// Takes all values at once.
    package init(general: SIMD16<UInt64>, rip: UInt64, rflags: UInt64) {
        (self.general, self.rip, self.rflags) = (general, rip, rflags)
    }

    package subscript(register: Register) -> UInt64 {
        get {
            switch register {
            case .rip: rip
            case .rflags: rflags
            default: general[Int(register.rawValue)]
            }
        }
        set {
            switch register {
            case .rip: rip = newValue
            case .rflags: rflags = newValue
            default: general[Int(register.rawValue)] = newValue
            }
        }
    }
}
