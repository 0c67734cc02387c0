/// Shifts of all lanes by one count, and of the whole register by bytes.
enum PackedShift: UInt8 {
    case leftWords, leftDoublewords, leftQuadwords
    case rightWords, rightDoublewords, rightQuadwords
    case arithmeticWords, arithmeticDoublewords
    case leftBytes, rightBytes

    /// The new value of the destination; counts past the lane empty it or fill it with its sign.
    func shift(_ a: XMM, by count: UInt64) -> XMM {
        switch self {
        case .leftWords: count > 15 ? .zero : XMM(lanes: a.words &<< UInt16(count))
        case .leftDoublewords: count > 31 ? .zero : XMM(lanes: a.doublewords &<< UInt32(count))
        case .leftQuadwords: count > 63 ? .zero : a &<< count
        case .rightWords: count > 15 ? .zero : XMM(lanes: a.words &>> UInt16(count))
        case .rightDoublewords: count > 31 ? .zero : XMM(lanes: a.doublewords &>> UInt32(count))
        case .rightQuadwords: count > 63 ? .zero : a &>> count
        case .arithmeticWords: XMM(lanes: a.signedWords &>> Int16(min(count, 15)))
        case .arithmeticDoublewords: XMM(lanes: a.signedDoublewords &>> Int32(min(count, 31)))
        case .leftBytes: XMM(a.whole << (min(count, 16) * 8))
        case .rightBytes: XMM(a.whole >> (min(count, 16) * 8))
        }
    }
}

extension XMM {
    fileprivate var whole: UInt128 { UInt128(self[1]) << 64 | UInt128(self[0]) }

    fileprivate init(_ whole: UInt128) {
        self.init(UInt64(truncatingIfNeeded: whole), UInt64(truncatingIfNeeded: whole >> 64))
    }
}
