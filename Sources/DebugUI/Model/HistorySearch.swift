/// Ctrl-R: a search back through the history, one character at a time.
package struct HistorySearch: Sendable, Equatable {
    /// What is looked for.
    package private(set) var text = ""
    /// The place of the line that has it; `nil` where none has.
    package private(set) var match: Int?
    /// What was being written when the search began.
    package let draft: LineEditor
    /// Where the search began: behind the last line.
    private let start: Int

    package init(draft: LineEditor, start: Int) { (self.draft, self.start) = (draft, start) }

    /// The keys that bring back what was being written.
    static let cancelling: Set<Key> = [.escape, .control("g"), .control("c")]

    /// Takes a key.
    ///
    /// - Returns: whether the search goes on.
    mutating func press(_ key: Key, in history: [String]) -> Bool {
        switch key {
        case .character(let character):
            guard text.unicodeScalars.count < 256 else { return true }
            text.unicodeScalars.append(character)
            find(from: match ?? start - 1, by: -1, in: history)
        case .backspace:
            text = String(text.unicodeScalars.dropLast())
            find(from: start - 1, by: -1, in: history)
        case .control("r"): findNext(-1, in: history)
        case .control("s"): findNext(1, in: history)
        default: return false
        }
        return true
    }

    /// The next line in a direction; the last one stays where there is none.
    private mutating func findNext(_ step: Int, in history: [String]) {
        guard let old = match else { return }
        find(from: old + step, by: step, in: history)
        match = match ?? old
    }

    private mutating func find(from start: Int, by step: Int, in history: [String]) {
        match = nil
        guard !text.isEmpty else { return }
        var index = start
        while history.indices.contains(index) {
            if history[index].contains(text) {
                match = index
                return
            }
            index += step
        }
    }
}
