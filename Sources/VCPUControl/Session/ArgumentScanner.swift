/// Reads the arguments of a command from left to right; blanks between them do not count.
struct ArgumentScanner {
    private var text: Substring

    init(_ text: some StringProtocol) {
        self.text = Substring(text)
        skipBlanks()
    }

    /// What has not been read, without blanks at either end.
    var rest: String {
        var rest = text
        while rest.last == " " || rest.last == "\t" { rest.removeLast() }
        return String(rest)
    }

    var isAtEnd: Bool { text.isEmpty }

    var startsWithDigit: Bool { text.first.map(Self.isDigit) ?? false }

    func starts(with prefix: String) -> Bool { text.hasPrefix(prefix) }

    /// Reads the prefix, where the rest starts with it.
    @discardableResult
    mutating func take(_ prefix: String) -> Bool {
        guard text.hasPrefix(prefix) else { return false }
        text = text.dropFirst(prefix.count)
        skipBlanks()
        return true
    }

    /// Whether the rest is a number without `0x`, and nothing else.
    var isDecimalNumber: Bool { !text.isEmpty && rest.allSatisfy(Self.isDigit) }

    /// Whether a keyword is the next word.
    func isNext(_ keyword: String) -> Bool { text.prefix(while: Self.isWord) == keyword }

    /// Reads a keyword, where it is the next word.
    mutating func takeWord(_ keyword: String) -> Bool {
        guard isNext(keyword) else { return false }
        return take(keyword)
    }

    /// Reads letters, digits and underscores; may be empty.
    mutating func word() -> String { take(while: Self.isWord) }

    /// Reads a symbol's name: dots, `@` and `$` within it too.
    mutating func symbol() -> String {
        take { Self.isWord($0) || $0 == "." || $0 == "@" || $0 == "$" }
    }

    /// Reads up to the next blank; may be empty.
    mutating func field() -> String { take { $0 != " " && $0 != "\t" } }

    private mutating func take(while condition: (Character) -> Bool) -> String {
        let word = text.prefix(while: condition)
        text = text.dropFirst(word.count)
        skipBlanks()
        return String(word)
    }

    private mutating func skipBlanks() {
        text = text.drop { $0 == " " || $0 == "\t" }
    }

    private static func isDigit(_ character: Character) -> Bool {
        character.isASCII && character.isNumber
    }

    private static func isWord(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }
}
