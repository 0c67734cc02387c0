/// Parses one expression from the front of a command's arguments, and leaves what follows.
struct ExpressionParser {
    var scanner: ArgumentScanner

    /// How deep parentheses and signs may nest; more is refused, for each level takes stack.
    private static let deepest = 100
    private var depth = 0

    init(_ scanner: ArgumentScanner) { self.scanner = scanner }

    mutating func expression(_ precedence: Int = 1) throws(CommandFailure) -> Expression {
        var left = try operand()
        while let operation = nextOperator(precedence) {
            scanner.take(operation.rawValue)
            let right = try expression(operation.precedence + 1)
            left = .binary(operation, left, right)
        }
        return left
    }

    private func nextOperator(_ precedence: Int) -> Expression.Binary? {
        let operation = Expression.Binary.allCases.filter { scanner.starts(with: $0.rawValue) }
            .max { $0.rawValue.count < $1.rawValue.count }
        guard let operation, operation.precedence >= precedence else { return nil }
        return operation
    }

    private mutating func operand() throws(CommandFailure) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.deepest else { throw CommandFailure("the expression nests too deeply") }
        for sign in Expression.Unary.allCases where scanner.take(sign.rawValue) {
            return .unary(sign, try operand())
        }
        if scanner.take("+") { return try operand() }
        if scanner.take("(") { return try parenthesised() }
        if scanner.take("{") { return try memory() }
        return try atom()
    }

    private mutating func parenthesised() throws(CommandFailure) -> Expression {
        let inner = try expression()
        guard scanner.take(")") else { throw expected(")") }
        return inner
    }

    private mutating func memory() throws(CommandFailure) -> Expression {
        let unit = try memoryUnit()
        return .memory(unit, try operand())
    }

    /// The type in braces, without the opening one.
    mutating func memoryUnit() throws(CommandFailure) -> MemoryUnit {
        let type = scanner.word()
        guard let unit = MemoryUnit(type: type) else {
            throw CommandFailure("{\(type)} is no type; use {u8}, {u16}, {u32} or {u64}")
        }
        guard scanner.take("}") else { throw expected("}") }
        return unit
    }

    private mutating func atom() throws(CommandFailure) -> Expression {
        if scanner.take("$") { return try register(scanner.word()) }
        if scanner.startsWithDigit {
            let digits = scanner.word()
            return .number(try Self.number(digits))
        }
        let name = scanner.symbol()
        guard !name.isEmpty, name != "if" else { throw expected("a number, $register or symbol") }
        return .symbol(name)
    }

    private func register(_ name: String) throws(CommandFailure) -> Expression {
        if name.isEmpty { return .history(nil) }
        if let number = Int(name) { return .history(number) }
        guard let operand = NamedRegister(name) else {
            throw CommandFailure("there is no register $\(name); `info registers` lists them")
        }
        return .register(operand, name: name.lowercased())
    }

    /// Decimal, `0x` hexadecimal, `0b` binary or `0` octal, as in gdb.
    static func number(_ digits: String) throws(CommandFailure) -> Expression.Value {
        let text = digits.lowercased()
        let value =
            if text.hasPrefix("0x") {
                UInt64(text.dropFirst(2), radix: 16)
            } else if text.hasPrefix("0b") {
                UInt64(text.dropFirst(2), radix: 2)
            } else if text.hasPrefix("0"), text.count > 1 {
                UInt64(text.dropFirst(), radix: 8)
            } else { UInt64(text) }
        guard let value, !text.contains("+"), !text.contains("-") else {
            throw CommandFailure("\(digits) is no number of 64 bits; write 26, 0x1a or 032")
        }
        return .init(value, isSigned: value <= UInt64(Int64.max))
    }

    private func expected(_ what: String) -> CommandFailure {
        let found = scanner.rest.isEmpty ? "the end of the line" : "`\(scanner.rest)`"
        return CommandFailure("expected \(what), but found \(found)")
    }
}
