/// Where an expression finds its registers, symbols and memory: one vCPU that stands still.
protocol ExpressionContext {
    func value(of register: NamedRegister, named name: String) throws(CommandFailure) -> UInt64
    func address(of symbol: String) throws(CommandFailure) -> UInt64
    func memory(_ unit: MemoryUnit, at address: UInt64) throws(CommandFailure) -> UInt64
    /// A value that `print` has shown, by its number; `nil` is the last one.
    func history(_ number: Int?) throws(CommandFailure) -> Expression.Value
}

extension Expression {
    /// The value now; arithmetic wraps at 64 bits.
    func evaluate(in context: some ExpressionContext) throws(CommandFailure) -> Value {
        switch self {
        case .number(let value): return value
        case .register(let operand, let name):
            return Value(try context.value(of: operand, named: name), isSigned: operand.isSigned)
        case .symbol(let name): return Value(try context.address(of: name))
        case .history(let number): return try context.history(number)
        case .memory(let unit, let address):
            let place = try address.evaluate(in: context).bits
            return Value(try context.memory(unit, at: place))
        case .unary(let operation, let operand):
            return operation.apply(to: try operand.evaluate(in: context))
        case .binary(let operation, let left, let right):
            let first = try left.evaluate(in: context)
            // The right side of && and || may be what the left side guards against.
            if operation == .and, first.bits == 0 { return .truth(false) }
            if operation == .or, first.bits != 0 { return .truth(true) }
            return try operation.apply(to: first, try right.evaluate(in: context))
        }
    }
}

extension Expression.Value {
    static func truth(_ value: Bool) -> Self { Self(value ? 1 : 0, isSigned: true) }
}

extension Expression.Unary {
    func apply(to value: Expression.Value) -> Expression.Value {
        switch self {
        case .minus: .init(0 &- value.bits, isSigned: true)
        case .complement: .init(~value.bits, isSigned: value.isSigned)
        case .not: .truth(value.bits == 0)
        }
    }
}

extension Expression.Binary {
    func apply(
        to left: Expression.Value, _ right: Expression.Value
    ) throws(CommandFailure) -> Expression.Value {
        let (a, b) = (left.bits, right.bits)
        let isSigned = left.isSigned && right.isSigned
        func isLess(_ a: UInt64, _ b: UInt64) -> Bool {
            isSigned ? Int64(bitPattern: a) < Int64(bitPattern: b) : a < b
        }
        switch self {
        case .or: return .truth(a != 0 || b != 0)
        case .and: return .truth(a != 0 && b != 0)
        case .equal: return .truth(a == b)
        case .notEqual: return .truth(a != b)
        case .less: return .truth(isLess(a, b))
        case .greater: return .truth(isLess(b, a))
        case .lessOrEqual: return .truth(!isLess(b, a))
        case .greaterOrEqual: return .truth(!isLess(a, b))
        case .bitOr: return .init(a | b, isSigned: isSigned)
        case .bitXor: return .init(a ^ b, isSigned: isSigned)
        case .bitAnd: return .init(a & b, isSigned: isSigned)
        case .shiftLeft: return .init(b < 64 ? a << b : 0, isSigned: left.isSigned)
        case .shiftRight: return .init(b < 64 ? a >> b : 0, isSigned: left.isSigned)
        case .plus: return .init(a &+ b, isSigned: isSigned)
        case .minus: return .init(a &- b, isSigned: isSigned)
        case .times: return .init(a &* b, isSigned: isSigned)
        case .divide, .remainder: return try divide(left, right, isSigned: isSigned)
        }
    }

    private func divide(
        _ left: Expression.Value, _ right: Expression.Value, isSigned: Bool
    ) throws(CommandFailure) -> Expression.Value {
        guard right.bits != 0 else { throw CommandFailure("division by zero") }
        let wantsQuotient = self == .divide
        guard isSigned else {
            return .init(wantsQuotient ? left.bits / right.bits : left.bits % right.bits)
        }
        let a = Int64(bitPattern: left.bits)
        let b = Int64(bitPattern: right.bits)
        let result =
            wantsQuotient
            ? a.dividedReportingOverflow(by: b).partialValue
            : a.remainderReportingOverflow(dividingBy: b).partialValue
        return .init(UInt64(bitPattern: result), isSigned: true)
    }
}
