/// Instructions that move lanes about: packing, unpacking and shuffles.
enum PackedShuffle: UInt8 {
    case packSignedWords, packUnsignedWords, packSignedDoublewords
    case unpackLowBytes, unpackLowWords, unpackLowDoublewords, unpackLowQuadwords
    case unpackHighBytes, unpackHighWords, unpackHighDoublewords, unpackHighQuadwords
    case shuffleDoublewords, shuffleLowWords, shuffleHighWords
    case shuffleSingles, shuffleDoubles

    /// The new value of the destination, by an immediate where the instruction has one.
    func combine(_ a: XMM, _ b: XMM, _ order: UInt8) -> XMM {
        switch self {
        case .packSignedWords:
            XMM(
                lanes: SIMD16<Int8>(
                    lowHalf: SIMD8(clamping: a.signedWords),
                    highHalf: SIMD8(clamping: b.signedWords)))
        case .packUnsignedWords:
            XMM(
                lanes: SIMD16<UInt8>(
                    lowHalf: SIMD8(clamping: a.signedWords),
                    highHalf: SIMD8(clamping: b.signedWords)))
        case .packSignedDoublewords:
            XMM(
                lanes: SIMD8<Int16>(
                    lowHalf: SIMD4(clamping: a.signedDoublewords),
                    highHalf: SIMD4(clamping: b.signedDoublewords)))
        case .unpackLowBytes: a.unpacked(b, SIMD16<UInt8>.self, fromHigh: false)
        case .unpackLowWords: a.unpacked(b, SIMD8<UInt16>.self, fromHigh: false)
        case .unpackLowDoublewords: a.unpacked(b, SIMD4<UInt32>.self, fromHigh: false)
        case .unpackLowQuadwords: XMM(a[0], b[0])
        case .unpackHighBytes: a.unpacked(b, SIMD16<UInt8>.self, fromHigh: true)
        case .unpackHighWords: a.unpacked(b, SIMD8<UInt16>.self, fromHigh: true)
        case .unpackHighDoublewords: a.unpacked(b, SIMD4<UInt32>.self, fromHigh: true)
        case .unpackHighQuadwords: XMM(a[1], b[1])
        case .shuffleDoublewords: XMM(lanes: b.doublewords.chosen(b.doublewords, order))
        case .shuffleLowWords: XMM(b[0].words(order), b[1])
        case .shuffleHighWords: XMM(b[0], b[1].words(order))
        case .shuffleSingles: XMM(lanes: a.doublewords.chosen(b.doublewords, order))
        case .shuffleDoubles: XMM(a[Int(order & 1)], b[Int(order >> 1 & 1)])
        }
    }
}

extension SIMD4<UInt32> {
    /// Two lanes of this vector and two of another, by four fields of two bits.
    fileprivate func chosen(_ other: Self, _ order: UInt8) -> Self {
        Self(
            self[Int(order & 3)], self[Int(order >> 2 & 3)],
            other[Int(order >> 4 & 3)], other[Int(order >> 6 & 3)])
    }
}

extension UInt64 {
    /// The four words of this quadword, reordered by four fields of two bits.
    fileprivate func words(_ order: UInt8) -> UInt64 {
        var result: UInt64 = 0
        for lane in 0..<4 {
            let source = UInt64(order >> UInt8(2 * lane) & 3)
            let word = self >> (source * 16) & 0xffff
            result |= word << UInt64(16 * lane)
        }
        return result
    }
}

extension XMM {
    /// The lanes of one half of two registers in turn.
    @inline(__always)
    fileprivate func unpacked<Vector: SIMD>(
        _ other: XMM, _: Vector.Type, fromHigh: Bool
    ) -> XMM where Vector.Scalar: FixedWidthInteger {
        let (a, b): (Vector, Vector) = (lanes(), other.lanes())
        let half = Vector.scalarCount / 2
        var result = Vector()
        for lane in 0..<half {
            result[2 * lane] = a[lane + (fromHigh ? half : 0)]
            result[2 * lane + 1] = b[lane + (fromHigh ? half : 0)]
        }
        return XMM(lanes: result)
    }
}
