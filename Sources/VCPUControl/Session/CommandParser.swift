/// Makes a command of a line; the table decides which words there are.
package enum CommandParser {
    /// More than any command needs; keeps hostile scripts from deep recursion.
    private static let longestLine = 4096

    /// - Returns: `nil` for an empty line or a comment.
    package static func parse(_ line: String) throws(CommandFailure) -> Command? {
        var scanner = ArgumentScanner(line)
        guard !scanner.isAtEnd, !scanner.starts(with: "#") else { return nil }
        guard line.utf8.count <= longestLine else {
            throw CommandFailure("the command is longer than \(longestLine) bytes")
        }
        let word = scanner.take("?") ? "?" : scanner.word()
        guard !word.isEmpty else {
            throw CommandFailure("`\(scanner.rest)` is no command; `help` lists the commands")
        }
        let entry = try CommandTable.find(word)
        do throws(CommandFailure) {
            return try command(entry.name, &scanner)
        } catch {
            throw CommandFailure("\(entry.name.rawValue): \(error.message)")
        }
    }

    private static func command(
        _ name: CommandName, _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Command {
        switch name {
        case .stepi: return .stepInstruction(count: try count(&arguments))
        case .nexti: return .nextInstruction(count: try count(&arguments))
        case .continue: return .continue(count: try count(&arguments))
        case .vmgexit: return try vmgexit(&arguments)
        case .finish: return try end(.finish, arguments)
        case .clear: return .clear(try only(&arguments, place))
        case .until: return .until(try only(&arguments, place))
        case .break: return try breakpoint(&arguments)
        case .watch: return try watch(&arguments)
        case .delete: return .delete(try numbers(&arguments))
        case .enable: return .enable(try numbers(&arguments))
        case .disable: return .disable(try numbers(&arguments))
        case .info: return try info(&arguments)
        case .x: return try examine(&arguments)
        case .print: return try print(&arguments)
        case .disassemble: return .disassemble(try codeRange(&arguments))
        case .set: return try set(&arguments)
        case .vcpu: return .vcpu(try optional(&arguments))
        case .ghcb: return try setup(&arguments)
        case .compare: return .compare(try setups(&arguments))
        case .restart: return try end(.restart, arguments)
        case .detach: return try end(.detach, arguments)
        case .help: return .help(arguments.isAtEnd ? nil : arguments.rest)
        case .quit: return try end(.quit, arguments)
        }
    }
}

// Arguments that several commands share.
extension CommandParser {
    /// Accepts a command only when nothing is left of the line.
    static func end(
        _ command: Command, _ arguments: ArgumentScanner
    ) throws(CommandFailure) -> Command {
        guard arguments.isAtEnd else {
            throw CommandFailure("`\(arguments.rest)` does not belong here")
        }
        return command
    }

    private static func only<Value>(
        _ arguments: inout ArgumentScanner,
        _ parse: (inout ArgumentScanner) throws(CommandFailure) -> Value
    ) throws(CommandFailure) -> Value {
        let value = try parse(&arguments)
        _ = try end(.finish, arguments)
        return value
    }

    static func expression(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Expression {
        var parser = ExpressionParser(arguments)
        let expression = try parser.expression()
        arguments = parser.scanner
        return expression
    }

    /// A place in the guest, and nothing else.
    static func place(_ text: String) throws(CommandFailure) -> Expression {
        guard text.utf8.count <= longestLine else {
            throw CommandFailure("the expression is longer than \(longestLine) bytes")
        }
        var scanner = ArgumentScanner(text)
        return try only(&scanner, place)
    }

    /// A place in the guest: gdb's `*ADDRESS`, a symbol, or any expression.
    static func place(_ arguments: inout ArgumentScanner) throws(CommandFailure) -> Expression {
        arguments.take("*")
        return try expression(&arguments)
    }

    private static func optional(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Expression? {
        arguments.isAtEnd ? nil : try only(&arguments, expression)
    }

    /// A number from 1 on; 1 where there is none.
    private static func count(_ arguments: inout ArgumentScanner) throws(CommandFailure) -> UInt64 {
        guard !arguments.isAtEnd else { return 1 }
        let text = arguments.rest
        let word = arguments.word()
        guard arguments.isAtEnd, word.first?.isNumber ?? false,
            let number = try? ExpressionParser.number(word).bits, number > 0
        else { throw CommandFailure("`\(text)` is no count; give a number from 1 on") }
        return number
    }

    private static func numbers(_ arguments: inout ArgumentScanner) throws(CommandFailure) -> [Int]
    {
        _ = arguments.takeWord("breakpoints")
        var numbers: [Int] = []
        while !arguments.isAtEnd {
            let field = arguments.field()
            guard let number = Int(field) else {
                throw CommandFailure("`\(field)` is no breakpoint number; see info breakpoints")
            }
            numbers.append(number)
        }
        return numbers
    }
}

// Commands with arguments of their own.
extension CommandParser {
    private static func vmgexit(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Command {
        // Codes are written in hexadecimal: a decimal number alone is the count.
        if arguments.isAtEnd || arguments.isDecimalNumber {
            return .vmgexit(.all, count: try count(&arguments))
        }
        let filter = try ExitFilter.parse(arguments.field())
        return .vmgexit(filter, count: try count(&arguments))
    }

    private static func breakpoint(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Command {
        if arguments.takeWord("vmgexit") {
            let isBare = arguments.isAtEnd || arguments.isNext("if")
            let filter = isBare ? .all : try ExitFilter.parse(arguments.field())
            return .breakExchange(filter, try condition(&arguments))
        }
        let isHere = arguments.isAtEnd || arguments.isNext("if")
        let place: Expression? = isHere ? nil : try Self.place(&arguments)
        return .breakAddress(place, try condition(&arguments))
    }

    private static func watch(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Command {
        let place: Expression
        if let (unit, address) = try memory(&arguments) {
            place = .memory(unit, address)
        } else {
            place = try Self.place(&arguments)
        }
        let isAll = arguments.isAtEnd || arguments.isNext("if")
        let length: Expression? = isAll ? nil : try expression(&arguments)
        return .watch(place, length: length, try condition(&arguments))
    }

    private static func condition(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Breakpoint.Condition? {
        guard arguments.takeWord("if") else {
            _ = try end(.finish, arguments)
            return nil
        }
        let text = arguments.rest
        return .init(expression: try only(&arguments, expression), text: text)
    }

    private static func info(_ arguments: inout ArgumentScanner) throws(CommandFailure) -> Command {
        let word = arguments.word()
        let matches = InfoTopic.allCases.filter { $0.rawValue.hasPrefix(word) && !word.isEmpty }
        let exact = InfoTopic(rawValue: word) ?? infoAliases[word]
        guard let topic = exact ?? (matches.count == 1 ? matches.first : nil) else {
            let topics = InfoTopic.allCases.map(\.rawValue).joined(separator: ", ")
            let subject = word.isEmpty ? "a topic is missing" : "there is no topic `\(word)`"
            throw CommandFailure("\(subject); choose from \(topics)")
        }
        var words: [String] = []
        while !arguments.isAtEnd { words.append(arguments.field()) }
        return .info(topic, arguments: words)
    }

    /// gdb's short forms that are no prefix of one topic.
    private static let infoAliases: [String: InfoTopic] = [
        "r": .registers, "reg": .registers, "all": .registers, "b": .breakpoints,
        "threads": .vcpus, "mem": .memory, "m": .memory, "s": .setup,
    ]

    private static func examine(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Command {
        let format = try ExamineFormat.parse(arguments.take("/") ? arguments.field() : "")
        return .examine(format, arguments.isAtEnd ? nil : try only(&arguments, place))
    }

    private static func print(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Command {
        guard arguments.take("/") else { return .print(nil, try only(&arguments, expression)) }
        let format = try ExamineFormat.parse(arguments.field())
        guard format.unit == nil, format.count == 1, format.letter != .string,
            format.letter != .instruction
        else { throw CommandFailure("a value has no count and no unit; use x to show memory") }
        return .print(format.letter, try only(&arguments, expression))
    }

    private static func codeRange(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Command.CodeRange {
        guard !arguments.isAtEnd else { return .function(nil) }
        let start = try place(&arguments)
        guard arguments.take(",") else {
            _ = try end(.finish, arguments)
            return .function(start)
        }
        let isLength = arguments.take("+")
        let bound = try only(&arguments, expression)
        return isLength ? .length(start, bound) : .range(start, end: bound)
    }

    private static func set(_ arguments: inout ArgumentScanner) throws(CommandFailure) -> Command {
        _ = arguments.takeWord("var")
        if let (unit, address) = try memory(&arguments) {
            return .setMemory(unit, address, try assigned(&arguments))
        }
        var parser = ExpressionParser(arguments)
        guard case .register(let operand, let name) = try parser.expression() else {
            throw CommandFailure("only a $REGISTER or {u8|u16|u32|u64} ADDRESS can be set")
        }
        return .setRegister(operand, name: name, try assigned(&parser.scanner))
    }

    /// `{u32} ADDR`, where all that follows is the address.
    private static func memory(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> (unit: MemoryUnit, address: Expression)? {
        var parser = ExpressionParser(arguments)
        guard parser.scanner.take("{") else { return nil }
        let unit = try parser.memoryUnit()
        let address = try parser.expression()
        arguments = parser.scanner
        return (unit, address)
    }

    private static func assigned(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> Expression {
        guard arguments.take("=") else {
            throw CommandFailure("write $REGISTER = VALUE or {u32} ADDRESS = VALUE")
        }
        return try only(&arguments, expression)
    }

    private static func setup(_ arguments: inout ArgumentScanner) throws(CommandFailure) -> Command
    {
        guard !arguments.isAtEnd else { return .setup(nil) }
        return .setup(try setup(named: arguments.rest))
    }

    private static func setup(named word: String) throws(CommandFailure) -> GHCBSetup {
        guard let setup = GHCBSetup(rawValue: word) else {
            let names = GHCBSetup.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure("there is no GHCB setup `\(word)`; choose from \(names)")
        }
        return setup
    }

    /// At most two.
    private static func setups(
        _ arguments: inout ArgumentScanner
    ) throws(CommandFailure) -> [GHCBSetup] {
        var setups: [GHCBSetup] = []
        while !arguments.isAtEnd {
            guard setups.count < 2 else {
                throw CommandFailure("`\(arguments.rest)` is one setup too many; give at most two")
            }
            setups.append(try setup(named: arguments.field()))
        }
        return setups
    }
}
