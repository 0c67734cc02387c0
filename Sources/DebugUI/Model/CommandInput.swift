/// The `:` line: what is being typed, and the lines typed before.
package struct CommandInput: Sendable, Equatable {
    package var editor = LineEditor()
    /// The line of the history that is shown; `nil`: the one being written.
    private var recalled: Int?
    /// What was being written when the history was entered.
    private var draft = LineEditor()

    package init(_ text: String = "") { editor = LineEditor(text) }

    /// Goes back (-1) or forth (1) in the history; only lines that begin with what was written.
    package mutating func recall(_ step: Int, in history: [String]) {
        if recalled == nil { draft = editor }
        var index = (recalled ?? history.count) + step
        while history.indices.contains(index), !history[index].hasPrefix(draft.text) {
            index += step
        }
        guard index >= 0 else { return }
        recalled = index < history.count ? index : nil
        editor = recalled.map { LineEditor(history[$0]) } ?? draft
    }

    /// Completes the word before the cursor, at the end of the line, as far as it is certain.
    ///
    /// - Parameter candidates: what the last word of a line may become.
    /// - Returns: the words it may become, where it is not certain.
    package mutating func complete(_ candidates: (String) -> [String]) -> [String] {
        let head = editor.head
        guard editor.cursor == editor.characters.count else { return [] }
        let matches = candidates(head)
        guard let first = matches.first else { return [] }
        let common = matches.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
        let word = head.reversed().prefix { $0 != " " }.count
        editor = LineEditor(head.dropLast(word) + common + (matches.count == 1 ? " " : ""))
        return matches.count == 1 ? [] : matches
    }
}

extension String {
    fileprivate func commonPrefix(with other: String) -> String {
        String(zip(self, other).prefix { $0.0 == $0.1 }.map(\.0))
    }
}
