import Testing

@testable import VCPUControl

@Suite("SSE arithmetic")
struct FloatUnitTests {
    typealias Exceptions = MXCSR.Exceptions

    /// Rounds to nearest unless `control` says otherwise.
    private func compute(
        _ operation: FloatOperation, _ a: Double, _ b: Double, control: UInt32 = 0x1f80
    ) -> (bits: UInt64, raised: Exceptions) {
        var unit = FloatUnit(control: MXCSR(rawValue: control) ?? MXCSR())
        let bits = unit.compute(operation, a.bitPattern, b.bitPattern, .double)
        return (bits, unit.raised)
    }

    @Test("results in round-to-nearest are the host's")
    func nearest() {
        let edges: [Double] = [
            0, -0.0, 1, -1, 3, 0.1, .pi, .leastNonzeroMagnitude, .leastNormalMagnitude,
            .greatestFiniteMagnitude, .infinity, -.infinity, 0x1p53, 0x1p-1060, 0x1.8p-1030,
        ]
        for a in edges {
            for b in edges {
                #expect(isSame(compute(.add, a, b).bits, a + b))
                #expect(isSame(compute(.subtract, a, b).bits, a - b))
                #expect(isSame(compute(.multiply, a, b).bits, a * b))
                #expect(isSame(compute(.divide, a, b).bits, a / b))
                #expect(isSame(compute(.squareRoot, b, a).bits, a.squareRoot()))
            }
        }
    }

    private func isSame(_ bits: UInt64, _ value: Double) -> Bool {
        bits == value.bitPattern || Double(bitPattern: bits).isNaN && value.isNaN
    }

    @Test("exceptions are those of the exact result")
    func exceptions() {
        #expect(compute(.add, 1, 2).raised == [])
        #expect(compute(.add, 1, 0x1p-60).raised == [.precision])
        #expect(compute(.divide, 1, 0).raised == [.zeroDivide])
        #expect(compute(.divide, 0, 0).raised == [.invalid])
        #expect(
            compute(.multiply, .greatestFiniteMagnitude, 2).raised == [.overflow, .precision])
        #expect(compute(.multiply, 0x1p-1000, 0x1p-70).raised == [])
        #expect(compute(.multiply, 0x1.8p-1000, 0x1p-74).raised == [.underflow, .precision])
        #expect(compute(.add, .leastNonzeroMagnitude, 1).raised == [.denormal, .precision])
        #expect(compute(.add, .signalingNaN, 1).raised == [.invalid])
        #expect(compute(.add, .nan, 1).raised == [])
    }

    @Test("an invalid operation gives the negative quiet NaN, and a NaN operand passes on quieted")
    func nans() {
        #expect(compute(.subtract, .infinity, .infinity).bits == 0xfff8_0000_0000_0000)
        #expect(compute(.add, .signalingNaN, 1).bits == Double.signalingNaN.bitPattern | 1 << 51)
        #expect(compute(.minimum, .nan, 1).bits == 1.0.bitPattern)
        #expect(compute(.maximum, 1, .signalingNaN).bits == Double.signalingNaN.bitPattern)
    }

    @Test("directed rounding, flush to zero and denormals-are-zero follow MXCSR")
    func control() {
        let (down, up, chop): (UInt32, UInt32, UInt32) = (0x3f80, 0x5f80, 0x7f80)
        #expect(compute(.divide, 1, 3, control: up).bits == (1.0 / 3).nextUp.bitPattern)
        #expect(compute(.divide, -1, 3, control: down).bits == (-1.0 / 3).nextDown.bitPattern)
        #expect(compute(.subtract, 1, 1, control: down).bits == (-0.0).bitPattern)
        let most = Double.greatestFiniteMagnitude
        #expect(compute(.add, most, most, control: chop).bits == most.bitPattern)
        let flushed = compute(.multiply, 0x1p-1000, 0x1p-70, control: 0x9f80)
        #expect(flushed == (0, [.underflow, .precision]))
        #expect(compute(.add, .leastNonzeroMagnitude, 0, control: 0x1fc0) == (0, []))
    }

    @Test("an integer that does not fit is the indefinite one")
    func integers() {
        var unit = FloatUnit(control: MXCSR())
        let integer = { (value: Double, width: Int) -> UInt64 in
            unit.integer(value.bitPattern, .double, width: width, truncating: false)
        }
        #expect(integer(2.5, 32) == 2)
        #expect(integer(-1, 32) == 0xffff_ffff)
        #expect(integer(-0x1p31, 32) == 0x8000_0000)
        #expect(integer(0x1p63, 64) == 1 << 63)
        #expect(integer(.nan, 64) == 1 << 63)
        #expect(unit.raised == [.invalid, .precision])
    }
}
