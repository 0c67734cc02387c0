/// Conversions between floating-point formats and integers.
enum FloatConversion: UInt8 {
    case doublewordsToSingles, doublewordsToDoubles
    case singlesToDoublewords, singlesToDoublewordsTruncating
    case doublesToDoublewords, doublesToDoublewordsTruncating
    case singlesToDoubles, doublesToSingles
    case singleToDouble, doubleToSingle
    case integerToSingle, integerToDouble
    case singleToInteger, singleToIntegerTruncating, doubleToInteger, doubleToIntegerTruncating
    case quadwordToSingle, quadwordToDouble
    case singleToQuadword, singleToQuadwordTruncating
    case doubleToQuadword, doubleToQuadwordTruncating

    /// The source is a general register or memory.
    var isFromInteger: Bool { self == .integerToSingle || self == .integerToDouble }

    /// The conversion with an integer of 64 bits in place of 32, where there is one.
    var withQuadword: FloatConversion {
        switch self {
        case .integerToSingle: .quadwordToSingle
        case .integerToDouble: .quadwordToDouble
        case .singleToInteger: .singleToQuadword
        case .singleToIntegerTruncating: .singleToQuadwordTruncating
        case .doubleToInteger: .doubleToQuadword
        case .doubleToIntegerTruncating: .doubleToQuadwordTruncating
        default: self
        }
    }
}

extension EmulatedVCPU {
    mutating func executeConversion(
        _ conversion: FloatConversion, _ i: Instruction
    ) throws(Fault) {
        switch conversion {
        case .doublewordsToSingles:
            try convertFour(i) { unit, bits in unit.float(bits.signedDoubleword, .single) }
        case .singlesToDoublewords, .singlesToDoublewordsTruncating:
            let truncating = conversion == .singlesToDoublewordsTruncating
            try convertFour(i) { unit, bits in
                unit.integer(bits, .single, width: 32, truncating: truncating)
            }
        case .doublewordsToDoubles:
            try widenTwo(i) { unit, bits in unit.float(bits.signedDoubleword, .double) }
        case .singlesToDoubles:
            try widenTwo(i) { unit, bits in unit.convert(bits, from: .single, to: .double) }
        case .doublesToSingles:
            try narrowTwo(i) { unit, bits in unit.convert(bits, from: .double, to: .single) }
        case .doublesToDoublewords, .doublesToDoublewordsTruncating:
            let truncating = conversion == .doublesToDoublewordsTruncating
            try narrowTwo(i) { unit, bits in
                unit.integer(bits, .double, width: 32, truncating: truncating)
            }
        case .singleToDouble: try convertScalar(i, .single, .double)
        case .doubleToSingle: try convertScalar(i, .double, .single)
        case .integerToSingle: try convertInteger(i, 32, .single)
        case .integerToDouble: try convertInteger(i, 32, .double)
        case .quadwordToSingle: try convertInteger(i, 64, .single)
        case .quadwordToDouble: try convertInteger(i, 64, .double)
        case .singleToInteger: try convertToInteger(i, .single, 32, truncating: false)
        case .singleToIntegerTruncating: try convertToInteger(i, .single, 32, truncating: true)
        case .doubleToInteger: try convertToInteger(i, .double, 32, truncating: false)
        case .doubleToIntegerTruncating: try convertToInteger(i, .double, 32, truncating: true)
        case .singleToQuadword: try convertToInteger(i, .single, 64, truncating: false)
        case .singleToQuadwordTruncating: try convertToInteger(i, .single, 64, truncating: true)
        case .doubleToQuadword: try convertToInteger(i, .double, 64, truncating: false)
        case .doubleToQuadwordTruncating: try convertToInteger(i, .double, 64, truncating: true)
        }
    }

    /// Four doublewords to four.
    private mutating func convertFour(
        _ i: Instruction, _ convert: (inout FloatUnit, UInt64) -> UInt64
    ) throws(Fault) {
        let source = try vectorSource(i, aligned: true).doublewords
        var unit = FloatUnit(control: vector.mxcsr)
        var result = XMM.Doublewords()
        for lane in 0..<4 {
            result[lane] = UInt32(truncatingIfNeeded: convert(&unit, UInt64(source[lane])))
        }
        try commit(unit)
        vector[i.destination] = XMM(lanes: result)
    }

    /// The two low doublewords to two quadwords.
    private mutating func widenTwo(
        _ i: Instruction, _ convert: (inout FloatUnit, UInt64) -> UInt64
    ) throws(Fault) {
        let source = try scalarSource(i, bytes: 8)
        var unit = FloatUnit(control: vector.mxcsr)
        let result = XMM(convert(&unit, source & 0xffff_ffff), convert(&unit, source >> 32))
        try commit(unit)
        vector[i.destination] = result
    }

    /// Two quadwords to the two low doublewords; the rest becomes zero.
    private mutating func narrowTwo(
        _ i: Instruction, _ convert: (inout FloatUnit, UInt64) -> UInt64
    ) throws(Fault) {
        let source = try vectorSource(i, aligned: true)
        var unit = FloatUnit(control: vector.mxcsr)
        let result = convert(&unit, source[0]) | convert(&unit, source[1]) << 32
        try commit(unit)
        vector[i.destination] = XMM(result, 0)
    }

    private mutating func convertScalar(
        _ i: Instruction, _ source: FloatFormat, _ format: FloatFormat
    ) throws(Fault) {
        let bits = try scalarSource(i, bytes: source.bits / 8)
        var unit = FloatUnit(control: vector.mxcsr)
        let result = unit.convert(bits, from: source, to: format)
        try commit(unit)
        setLow(i.destination, result, format)
    }

    /// From a general register or memory.
    private mutating func convertInteger(
        _ i: Instruction, _ width: Int, _ format: FloatFormat
    ) throws(Fault) {
        let bits =
            i.hasMemorySource ? try scalarSource(i, bytes: width / 8) : general(i.source)
        var unit = FloatUnit(control: vector.mxcsr)
        let value = width == 32 ? bits.signedDoubleword : Int64(bitPattern: bits)
        let result = unit.float(value, format)
        try commit(unit)
        setLow(i.destination, result, format)
    }

    private mutating func convertToInteger(
        _ i: Instruction, _ format: FloatFormat, _ width: Int, truncating: Bool
    ) throws(Fault) {
        let bits = try scalarSource(i, bytes: format.bits / 8)
        var unit = FloatUnit(control: vector.mxcsr)
        let result = unit.integer(bits, format, width: width, truncating: truncating)
        try commit(unit)
        setGeneral(i.destination, result)
    }

    private mutating func setLow(_ register: UInt8, _ bits: UInt64, _ format: FloatFormat) {
        vector[register][0] = vector[register][0] & ~format.low(.max) | bits
    }
}

extension UInt64 {
    /// The low 32 bits with their sign.
    fileprivate var signedDoubleword: Int64 { Int64(Int32(truncatingIfNeeded: self)) }
}
