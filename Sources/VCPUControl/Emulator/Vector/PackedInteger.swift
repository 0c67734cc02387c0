/// Instructions that combine two XMM operands lane by lane; APM volume 4.
enum PackedInteger: UInt8 {
    case and, andNot, or, xor
    case addBytes, addWords, addDoublewords, addQuadwords
    case addSignedBytes, addSignedWords, addUnsignedBytes, addUnsignedWords
    case subtractBytes, subtractWords, subtractDoublewords, subtractQuadwords
    case subtractSignedBytes, subtractSignedWords, subtractUnsignedBytes, subtractUnsignedWords
    case multiplyLow, multiplyHigh, multiplyHighUnsigned, multiplyDoublewords, multiplyAdd
    case sumOfDifferences, averageBytes, averageWords
    case minimumBytes, maximumBytes, minimumWords, maximumWords
    case equalBytes, equalWords, equalDoublewords
    case greaterBytes, greaterWords, greaterDoublewords

    /// The new value of the destination.
    func combine(_ a: XMM, _ b: XMM) -> XMM {
        switch self {
        case .and: a & b
        case .andNot: ~a & b
        case .or: a | b
        case .xor: a ^ b
        case .addBytes: XMM(lanes: a.bytes &+ b.bytes)
        case .addWords: XMM(lanes: a.words &+ b.words)
        case .addDoublewords: XMM(lanes: a.doublewords &+ b.doublewords)
        case .addQuadwords: a &+ b
        case .addSignedBytes: a.saturatedSum(b, XMM.SignedBytes.self)
        case .addSignedWords: a.saturatedSum(b, XMM.SignedWords.self)
        case .addUnsignedBytes: a.saturatedSum(b, XMM.Bytes.self)
        case .addUnsignedWords: a.saturatedSum(b, XMM.Words.self)
        case .subtractBytes: XMM(lanes: a.bytes &- b.bytes)
        case .subtractWords: XMM(lanes: a.words &- b.words)
        case .subtractDoublewords: XMM(lanes: a.doublewords &- b.doublewords)
        case .subtractQuadwords: a &- b
        case .subtractSignedBytes: a.saturatedDifference(b, XMM.SignedBytes.self)
        case .subtractSignedWords: a.saturatedDifference(b, XMM.SignedWords.self)
        case .subtractUnsignedBytes: a.saturatedDifference(b, XMM.Bytes.self)
        case .subtractUnsignedWords: a.saturatedDifference(b, XMM.Words.self)
        case .multiplyLow: XMM(lanes: a.words &* b.words)
        case .multiplyHigh: a.highProducts(b, SIMD8<Int16>.self, SIMD8<Int32>.self)
        case .multiplyHighUnsigned: a.highProducts(b, SIMD8<UInt16>.self, SIMD8<UInt32>.self)
        case .multiplyDoublewords: (a & 0xffff_ffff) &* (b & 0xffff_ffff)
        case .multiplyAdd: a.sumsOfProducts(b)
        case .sumOfDifferences: a.sumsOfDifferences(b)
        case .averageBytes: a.averages(b, SIMD16<UInt8>.self, SIMD16<UInt16>.self)
        case .averageWords: a.averages(b, SIMD8<UInt16>.self, SIMD8<UInt32>.self)
        case .minimumBytes: XMM(lanes: pointwiseMin(a.bytes, b.bytes))
        case .maximumBytes: XMM(lanes: pointwiseMax(a.bytes, b.bytes))
        case .minimumWords: XMM(lanes: pointwiseMin(a.signedWords, b.signedWords))
        case .maximumWords: XMM(lanes: pointwiseMax(a.signedWords, b.signedWords))
        case .equalBytes: XMM(mask: a.signedBytes .== b.signedBytes)
        case .equalWords: XMM(mask: a.signedWords .== b.signedWords)
        case .equalDoublewords: XMM(mask: a.signedDoublewords .== b.signedDoublewords)
        case .greaterBytes: XMM(mask: a.signedBytes .> b.signedBytes)
        case .greaterWords: XMM(mask: a.signedWords .> b.signedWords)
        case .greaterDoublewords: XMM(mask: a.signedDoublewords .> b.signedDoublewords)
        }
    }
}

/// Lane arithmetic in twice the width; `Wide` holds every intermediate value of `Narrow`'s lanes.
extension XMM {
    /// Adds as much of the second operand as fits.
    @inline(__always)
    fileprivate func saturatedSum<Vector: SIMD>(_ other: XMM, _: Vector.Type) -> XMM
    where Vector.Scalar: FixedWidthInteger {
        let (a, b): (Vector, Vector) = (lanes(), other.lanes())
        let lowest = Vector(repeating: .min) &- pointwiseMin(a, .zero)
        let highest = Vector(repeating: .max) &- pointwiseMax(a, .zero)
        return XMM(lanes: a &+ pointwiseMin(pointwiseMax(b, lowest), highest))
    }

    /// The complement swaps the ends of the range, and a - b is ~(~a + b).
    @inline(__always)
    fileprivate func saturatedDifference<Vector: SIMD>(_ other: XMM, _ type: Vector.Type) -> XMM
    where Vector.Scalar: FixedWidthInteger {
        ~(~self).saturatedSum(other, type)
    }

    @inline(__always)
    fileprivate func highProducts<Narrow: SIMD, Wide: SIMD>(
        _ other: XMM, _: Narrow.Type, _: Wide.Type
    ) -> XMM where Narrow.Scalar: FixedWidthInteger, Wide.Scalar: FixedWidthInteger {
        var result = Narrow()
        let (a, b): (Narrow, Narrow) = (lanes(), other.lanes())
        for lane in result.indices {
            let product =
                Wide.Scalar(truncatingIfNeeded: a[lane]) &* Wide.Scalar(truncatingIfNeeded: b[lane])
            result[lane] = Narrow.Scalar(truncatingIfNeeded: product >> 16)
        }
        return XMM(lanes: result)
    }

    @inline(__always)
    fileprivate func averages<Narrow: SIMD, Wide: SIMD>(
        _ other: XMM, _: Narrow.Type, _: Wide.Type
    ) -> XMM where Narrow.Scalar: FixedWidthInteger, Wide.Scalar: FixedWidthInteger {
        var result = Narrow()
        let (a, b): (Narrow, Narrow) = (lanes(), other.lanes())
        for lane in result.indices {
            let sum =
                Wide.Scalar(truncatingIfNeeded: a[lane]) &+ Wide.Scalar(truncatingIfNeeded: b[lane])
            result[lane] = Narrow.Scalar(truncatingIfNeeded: (sum &+ 1) >> 1)
        }
        return XMM(lanes: result)
    }

    /// PMADDWD: wraps only where all four words are -32768.
    fileprivate func sumsOfProducts(_ other: XMM) -> XMM {
        let (a, b) = (signedWords, other.signedWords)
        let even =
            SIMD4<Int32>(truncatingIfNeeded: a.evenHalf)
            &* SIMD4<Int32>(truncatingIfNeeded: b.evenHalf)
        let odd =
            SIMD4<Int32>(truncatingIfNeeded: a.oddHalf)
            &* SIMD4<Int32>(truncatingIfNeeded: b.oddHalf)
        return XMM(lanes: even &+ odd)
    }

    /// PSADBW: one sum for each quadword.
    fileprivate func sumsOfDifferences(_ other: XMM) -> XMM {
        let differences = pointwiseMax(bytes, other.bytes) &- pointwiseMin(bytes, other.bytes)
        let wide = SIMD16<UInt16>(truncatingIfNeeded: differences)
        return XMM(UInt64(wide.lowHalf.wrappedSum()), UInt64(wide.highHalf.wrappedSum()))
    }
}
