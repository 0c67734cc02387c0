/// What a session has that words of a command line can name.
package struct CompletionContext: Sendable, Equatable {
    package var symbols: [String]
    package var vcpus = 1
    /// The numbers of the breakpoints.
    package var breakpoints: [Int] = []

    package init(symbols: [String] = []) { self.symbols = symbols }
}

/// How a line can go on: some words, one of which takes the place of the last one.
package struct Completion: Sendable, Equatable {
    /// The line up to the word that is completed.
    package var kept: String
    /// In alphabetical order, numbers in theirs.
    package var words: [String]

    package init(kept: String = "", words: [String] = []) {
        (self.kept, self.words) = (kept, words)
    }
}

extension CommandTable {
    fileprivate static let names = CommandName.allCases.map(\.rawValue).sorted()

    /// How a line may go on where it ends.
    package static func completion(of line: String, in context: CompletionContext) -> Completion {
        let text = line.drop { $0 == " " }
        let word = text.prefix { $0 != " " && $0 != "/" }
        guard word.count < text.count else {
            return .init(line, of: names, typed: word)
        }
        guard let entry = try? find(String(word)),
            let blank = text.dropFirst(word.count).firstIndex(of: " ")
        else { return Completion() }
        let arguments = text[text.index(after: blank)...]
        var fields = arguments.split(separator: " ").map(String.init)
        // The field that the line ends in is the one to complete.
        if !fields.isEmpty, arguments.last != " " { fields.removeLast() }
        return ArgumentCompletion(line: line, before: fields, context: context)
            .completion(of: entry)
    }
}

extension Completion {
    /// Completes what was typed last to these words, whatever its case.
    fileprivate init(_ line: String, of words: [String], typed: Substring) {
        let start = typed.lowercased()
        kept = String(line.dropLast(typed.count))
        self.words = words.filter { $0.lowercased().hasPrefix(start) }
    }
}

/// The arguments of one command line, of which the last one is completed.
private struct ArgumentCompletion {
    let line: String
    /// The arguments in front of the last.
    let before: [String]
    let context: CompletionContext

    func completion(of entry: CommandEntry) -> Completion {
        switch entry.completion {
        case .nothing: return Completion()
        case .expression: return expression
        case .assignment: return line.contains("=") ? expression : registers
        case .breakPlace: return breakPlace
        case .filter: return first { filter }
        case .topic: return topic
        case .command: return first { words(CommandTable.names) }
        case .vcpu: return first { words((0..<context.vcpus).map(String.init)) }
        case .breakpoints: return words(others(context.breakpoints.map(String.init)))
        case .setups(let count):
            let setups = GHCBSetup.allCases.map(\.rawValue).sorted()
            return before.count < count ? words(others(setups)) : Completion()
        }
    }

    /// Nothing behind the first argument.
    private func first(_ completion: () -> Completion) -> Completion {
        before.isEmpty ? completion() : Completion()
    }

    /// Those that are not named yet.
    private func others(_ words: [String]) -> [String] {
        words.filter { !before.contains($0) }
    }

    private func words(_ words: [String], separators: Set<Character> = []) -> Completion {
        Completion(line, of: words, typed: typed { $0 != " " && !separators.contains($0) })
    }

    /// The characters that the line ends in, as far as they are such.
    private func typed(_ isPart: (Character) -> Bool) -> Substring {
        line.suffix(line.reversed().prefix(while: isPart).count)
    }

    /// A symbol, or behind `$` a register: the last operand of an expression.
    private var expression: Completion {
        let typed = typed(Self.isOperand)
        if typed.hasPrefix("$") { return registers }
        let symbols = Completion(line, of: context.symbols, typed: typed)
        return Completion(kept: symbols.kept, words: symbols.words.sorted())
    }

    private static func isOperand(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "_.@$".contains(character)
    }

    private var registers: Completion {
        let names = NamedRegister.names.sorted().map { "$" + $0 }
        return Completion(line, of: names, typed: typed(Self.isOperand))
    }

    private var filter: Completion { words(ExitFilter.words, separators: [",", "!"]) }

    private var breakPlace: Completion {
        if before.contains("if") { return expression }
        switch (before.first, before.count) {
        case (nil, _):
            let (places, exits) = (expression, words(["vmgexit"]))
            guard places.kept == exits.kept else { return places }
            return Completion(kept: places.kept, words: (places.words + exits.words).sorted())
        case ("vmgexit", 1): return filter
        default: return words(["if"])
        }
    }

    private var topic: Completion {
        switch before.first {
        case nil: words(InfoTopic.allCases.map(\.rawValue).sorted())
        case InfoTopic.registers.rawValue: words(others(NamedRegister.names.sorted()))
        case InfoTopic.exits.rawValue: filter
        default: Completion()
        }
    }
}
