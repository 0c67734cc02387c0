/// Instructions that move data between XMM registers, memory and general registers.
enum VectorMove: UInt8 {
    case aligned, unaligned, single, double, low, high, highToLow, lowToHigh
    /// MOVD and MOVQ where no general register is involved.
    case doubleword, quadword
    case doublewordToGeneral, quadwordToGeneral, doublewordFromGeneral, quadwordFromGeneral
    case nonTemporal
    case singleSigns, doubleSigns, byteSigns
    case maskedBytes
    case insertWord, extractWord
}

extension EmulatedVCPU {
    mutating func executeMove(_ move: VectorMove, _ i: Instruction) throws(Fault) {
        switch move {
        case .aligned: try moveWhole(i, aligned: true)
        case .unaligned: try moveWhole(i, aligned: false)
        case .single: try moveScalar(i, UInt32.self, merging: true)
        case .double: try moveScalar(i, UInt64.self, merging: true)
        case .doubleword: try moveScalar(i, UInt32.self, merging: false)
        case .quadword: try moveScalar(i, UInt64.self, merging: false)
        case .low: try moveHalf(i, 0)
        case .high: try moveHalf(i, 1)
        case .highToLow: vector[i.destination][0] = vector[i.source][1]
        case .lowToHigh: vector[i.destination][1] = vector[i.source][0]
        case .doublewordToGeneral: setGeneral(i.destination, vector[i.source][0] & 0xffff_ffff)
        case .quadwordToGeneral: setGeneral(i.destination, vector[i.source][0])
        case .doublewordFromGeneral:
            vector[i.destination] = XMM(general(i.source) & 0xffff_ffff, 0)
        case .quadwordFromGeneral: vector[i.destination] = XMM(general(i.source), 0)
        case .nonTemporal: try storeGeneral(i)
        case .singleSigns: setGeneral(i.destination, signs(i) { $0.signedDoublewords })
        case .doubleSigns: setGeneral(i.destination, signs(i) { $0.lanes(as: SIMD2<Int64>.self) })
        case .byteSigns: setGeneral(i.destination, signs(i) { $0.signedBytes })
        case .maskedBytes: try storeMaskedBytes(i)
        case .insertWord: try insertWord(i)
        case .extractWord: try extractWord(i)
        }
    }

    private mutating func moveWhole(_ i: Instruction, aligned: Bool) throws(Fault) {
        if i.form == .memoryRegister {
            let address = effectiveAddress(i)
            try store128(vector[i.source], at: address, i.segment, aligned: aligned)
        } else {
            vector[i.destination] = try vectorSource(i, aligned: aligned)
        }
    }

    /// Between registers, the rest of the destination is kept or becomes zero.
    private mutating func moveScalar<Value: FixedWidthInteger & UnsignedInteger>(
        _ i: Instruction, _: Value.Type, merging: Bool
    ) throws(Fault) {
        let low = UInt64(Value.max)
        switch i.form {
        case .memoryRegister:
            let value = Value(truncatingIfNeeded: vector[i.source][0])
            try store(value, at: effectiveAddress(i), i.segment)
        case .registerMemory:
            vector[i.destination] = XMM(
                UInt64(try load(Value.self, at: effectiveAddress(i), i.segment)), 0)
        default:
            let kept = merging ? vector[i.destination] & XMM(~low, .max) : .zero
            vector[i.destination] = kept | XMM(vector[i.source][0] & low, 0)
        }
    }

    private mutating func moveHalf(_ i: Instruction, _ half: Int) throws(Fault) {
        let address = effectiveAddress(i)
        if i.form == .memoryRegister {
            try store(vector[i.source][half], at: address, i.segment)
        } else {
            vector[i.destination][half] = try load(UInt64.self, at: address, i.segment)
        }
    }

    /// MOVNTI.
    private mutating func storeGeneral(_ i: Instruction) throws(Fault) {
        let value = general(i.source)
        let address = effectiveAddress(i)
        if i.width == 8 {
            try store(value, at: address, i.segment)
        } else {
            try store(UInt32(truncatingIfNeeded: value), at: address, i.segment)
        }
    }

    /// One bit for each lane of the source that is negative.
    private mutating func signs<Vector: SIMD>(_ i: Instruction, _ lanes: (XMM) -> Vector) -> UInt64
    where Vector.Scalar: FixedWidthInteger {
        let source = lanes(vector[i.source])
        var result: UInt64 = 0
        for lane in source.indices where source[lane] < 0 { result |= 1 << UInt64(lane) }
        return result
    }

    /// MASKMOVDQU: the bytes of the first operand whose byte in the second has its top bit set.
    ///
    /// Both halves are checked, whatever the mask, the high one first.
    private mutating func storeMaskedBytes(_ i: Instruction) throws(Fault) {
        var target = i
        target.base = Register.rdi.rawValue
        target.index = Instruction.noRegister
        target.displacement = 0
        let address = effectiveAddress(target)
        let (bytes, mask) = (vector[i.destination].bytes, vector[i.source])
        try checkWritable(address &+ 8, count: 8, i.segment)
        try checkWritable(address, count: 8, i.segment)
        for lane in 0..<16 where mask.signedBytes[lane] < 0 {
            try store(bytes[lane], at: address &+ UInt64(lane), i.segment)
        }
    }

    private mutating func insertWord(_ i: Instruction) throws(Fault) {
        let word: UInt16
        if i.form == .registerMemoryImmediate {
            word = try load(UInt16.self, at: effectiveAddress(i), i.segment)
        } else {
            word = UInt16(truncatingIfNeeded: general(i.source))
        }
        var words = vector[i.destination].words
        words[Int(i.immediate & 7)] = word
        vector[i.destination] = XMM(lanes: words)
    }

    private mutating func extractWord(_ i: Instruction) throws(Fault) {
        let word = vector[i.source].words[Int(i.immediate & 7)]
        if i.form == .memoryRegisterImmediate {
            try store(word, at: effectiveAddress(i), i.segment)
        } else {
            setGeneral(i.destination, UInt64(word))
        }
    }
}
