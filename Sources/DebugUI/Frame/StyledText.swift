/// A line of text in pieces of one style each.
package struct StyledText: Sendable, Equatable {
    package struct Span: Sendable, Equatable {
        package var text: String
        package var style: Style
    }

    package private(set) var spans: [Span] = []

    package init() {}
    package init(_ text: String, _ style: Style = .normal) { add(text, style) }

    package mutating func add(_ text: String, _ style: Style = .normal) {
        if !text.isEmpty { spans.append(Span(text: text, style: style)) }
    }

    package var text: String { spans.map(\.text).joined() }

    /// Columns that the text takes.
    package var width: Int { spans.reduce(0) { $0 + $1.text.unicodeScalars.count } }

    /// Fills up with blanks to a column; adds one blank where the text is already there.
    package mutating func pad(to column: Int) {
        add(String(repeating: " ", count: max(1, column - width)))
    }

    package static func + (left: StyledText, right: StyledText) -> StyledText {
        var sum = left
        sum.spans += right.spans
        return sum
    }
}

extension String {
    /// Filled up with blanks on the right; a longer text is cut, with `~` as its last character.
    func padded(_ width: Int) -> String {
        let count = unicodeScalars.count
        guard count > width else { return self + String(repeating: " ", count: width - count) }
        return String(unicodeScalars.prefix(max(0, width - 1))) + (width > 0 ? "~" : "")
    }

    /// Filled up with blanks on the left.
    func rightAligned(_ width: Int) -> String {
        String(repeating: " ", count: max(0, width - unicodeScalars.count)) + self
    }

    /// Broken at blanks into lines of at most `width` columns; a longer word is cut.
    func wrapped(_ width: Int) -> [String] {
        guard width > 0 else { return [] }
        var lines: [String] = []
        var line = ""
        for word in split(separator: " ") {
            var word = String(word)
            if !line.isEmpty, line.unicodeScalars.count + 1 + word.unicodeScalars.count > width {
                lines.append(line)
                line = ""
            }
            while word.unicodeScalars.count > width {
                lines.append(String(word.unicodeScalars.prefix(width)))
                word = String(word.unicodeScalars.dropFirst(width))
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return line.isEmpty ? lines : lines + [line]
    }
}
