extension SIMD2<UInt64> {
    /// The same 128 bits as lanes of another type.
    ///
    /// Both types have 16 bytes without padding, and every bit pattern is a value of each lane type.
    @inline(__always)
    func lanes<Vector: SIMD>(as type: Vector.Type = Vector.self) -> Vector
    where Vector.Scalar: FixedWidthInteger {
        unsafe unsafeBitCast(self, to: Vector.self)
    }

    /// The 128 bits of lanes of another type.
    @inline(__always)
    init<Vector: SIMD>(lanes: Vector) where Vector.Scalar: FixedWidthInteger {
        self = unsafe unsafeBitCast(lanes, to: Self.self)
    }

    /// All ones in the lanes where the comparison held, else zero.
    @inline(__always)
    init<Vector: SIMD>(mask: SIMDMask<Vector>)
    where Vector.Scalar: FixedWidthInteger & SignedInteger, Vector.MaskStorage == Vector {
        self.init(lanes: Vector.zero.replacing(with: -1, where: mask))
    }

    typealias Bytes = SIMD16<UInt8>
    typealias SignedBytes = SIMD16<Int8>
    typealias Words = SIMD8<UInt16>
    typealias SignedWords = SIMD8<Int16>
    typealias Doublewords = SIMD4<UInt32>
    typealias SignedDoublewords = SIMD4<Int32>

    var bytes: Bytes { @inline(__always) get { lanes() } }
    var signedBytes: SignedBytes { @inline(__always) get { lanes() } }
    var words: Words { @inline(__always) get { lanes() } }
    var signedWords: SignedWords { @inline(__always) get { lanes() } }
    var doublewords: Doublewords { @inline(__always) get { lanes() } }
    var signedDoublewords: SignedDoublewords { @inline(__always) get { lanes() } }
}
