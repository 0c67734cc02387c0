/// How many elements of which format a floating-point instruction works on.
enum FloatShape: UInt8 {
    case packedSingle, packedDouble, scalarSingle, scalarDouble

    var format: FloatFormat {
        switch self {
        case .packedSingle, .scalarSingle: .single
        case .packedDouble, .scalarDouble: .double
        }
    }

    var isScalar: Bool { self == .scalarSingle || self == .scalarDouble }
}

extension EmulatedVCPU {
    mutating func executeFloat(
        _ operation: FloatOperation, _ shape: FloatShape, _ i: Instruction
    ) throws(Fault) {
        let source = try floatSource(i, shape)
        var unit = FloatUnit(control: vector.mxcsr)
        switch operation {
        case .compareUnordered, .compareOrdered:
            let (a, b) = (vector[i.destination][0], source[0])
            let order = unit.order(a, b, signalsQuiet: operation == .compareOrdered, shape.format)
            try commit(unit)
            setFlags(order)
        case .compare:
            let predicate = UInt8(i.immediate & 7)
            let result = vector[i.destination].combined(source, shape) { a, b in
                unit.compare(a, b, predicate, shape.format)
            }
            try commit(unit)
            vector[i.destination] = result
        default:
            let result = vector[i.destination].combined(source, shape) { a, b in
                unit.compute(operation, a, b, shape.format)
            }
            try commit(unit)
            vector[i.destination] = result
        }
    }

    private mutating func floatSource(_ i: Instruction, _ shape: FloatShape) throws(Fault) -> XMM {
        guard shape.isScalar else { return try vectorSource(i, aligned: true) }
        return XMM(try scalarSource(i, bytes: shape.format.bits / 8), 0)
    }

    /// Takes over the exceptions of a computation whose result is not written yet.
    ///
    /// An unmasked one raises #XM, or #UD where CR4.OSXMMEXCPT is clear; APM volume 1, section 4.10.
    mutating func commit(_ unit: FloatUnit) throws(Fault) {
        let unmasked = unit.raised.subtracting(vector.mxcsr.masked)
        let isEarly = !unmasked.isDisjoint(with: .beforeComputation)
        vector.mxcsr.raise(isEarly ? unit.raised.intersection(.beforeComputation) : unit.raised)
        guard unmasked.isEmpty else {
            throw reportsFloatErrors ? .simdFloatingPoint : .invalidOpcode
        }
    }

    /// The flags of COMISS and UCOMISS.
    private mutating func setFlags(_ order: FloatOrder) {
        let (zero, parity, carry): (UInt64, UInt64, UInt64) = (1 << 6, 1 << 2, 1 << 0)
        let result =
            switch order {
            case .greater: 0 as UInt64
            case .less: carry
            case .equal: zero
            case .unordered: zero | parity | carry
            }
        flags.value = flags.value & ~0x8d5 | result
    }
}

extension FloatUnit {
    fileprivate mutating func order(
        _ a: UInt64, _ b: UInt64, signalsQuiet: Bool, _ format: FloatFormat
    ) -> FloatOrder {
        order(number(a, format), number(b, format), signalsQuiet: signalsQuiet, format)
    }

    /// All ones where a predicate of CMPPS holds, else zero.
    fileprivate mutating func compare(
        _ a: UInt64, _ b: UInt64, _ predicate: UInt8, _ format: FloatFormat
    ) -> UInt64 {
        let relation = predicate & 3
        let order = order(a, b, signalsQuiet: relation == 1 || relation == 2, format)
        let holds =
            switch relation {
            case 0: order == .equal
            case 1: order == .less
            case 2: order == .less || order == .equal
            default: order == .unordered
            }
        return holds != (predicate & 4 != 0) ? format.low(.max) : 0
    }
}

extension XMM {
    /// Applies an operation to each pair of elements, or the lowest one where the shape is scalar.
    fileprivate func combined(
        _ other: XMM, _ shape: FloatShape, _ operation: (UInt64, UInt64) -> UInt64
    ) -> XMM {
        var result = self
        switch shape {
        case .scalarDouble: result[0] = operation(self[0], other[0])
        case .packedDouble: for lane in 0..<2 { result[lane] = operation(self[lane], other[lane]) }
        case .scalarSingle:
            result[0] = self[0] & ~0xffff_ffff | operation(self[0] & 0xffff_ffff, other[0])
        case .packedSingle:
            let (a, b) = (doublewords, other.doublewords)
            var lanes = Doublewords()
            for lane in 0..<4 {
                lanes[lane] = UInt32(
                    truncatingIfNeeded: operation(UInt64(a[lane]), UInt64(b[lane])))
            }
            result = XMM(lanes: lanes)
        }
        return result
    }
}
