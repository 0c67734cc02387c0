/// An unsigned integer as wide as an operand: 8, 16, 32 or 64 bits.
///
/// Everything generic over it is inlined with a concrete width, so that tests of the width cost
/// nothing.
protocol Word: FixedWidthInteger, UnsignedInteger {
    /// The signed integer of the same width.
    associatedtype Signed: FixedWidthInteger, SignedInteger
}

extension UInt8: Word { typealias Signed = Int8 }
extension UInt16: Word { typealias Signed = Int16 }
extension UInt32: Word { typealias Signed = Int32 }
extension UInt64: Word { typealias Signed = Int64 }

extension Word {
    /// The value as a two's complement number.
    @inline(__always)
    var signed: Signed { Signed(truncatingIfNeeded: self) }

    /// The value with its sign bit copied to all higher bits.
    @inline(__always)
    var signExtended: UInt64 { UInt64(truncatingIfNeeded: signed) }

    /// The most significant bit as 0 or 1.
    @inline(__always)
    var top: UInt64 { UInt64(truncatingIfNeeded: self &>> Self(Self.bitWidth - 1)) }
}
