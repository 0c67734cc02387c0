package import VCPUControl

/// The `:` line: what is being typed, and what helps to type it.
package struct CommandInput: Sendable, Equatable {
    package var editor = LineEditor()
    /// The words that the last one may become, while they are shown.
    package private(set) var menu: CompletionMenu?
    /// The search through the history, while it goes on.
    package private(set) var search: HistorySearch?
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
    /// Where it is not certain the menu opens; from then on each call takes its next word (1) or
    /// the one before (-1).
    package mutating func complete(_ completion: (String) -> Completion, step: Int = 1) {
        guard editor.cursor == editor.characters.count else { return }
        guard menu == nil else {
            menu?.select(step, &editor)
            return
        }
        menu = CompletionMenu(completion(editor.text), &editor)
    }

    /// Begins the search through the history.
    package mutating func beginSearch(in history: [String]) {
        menu = nil
        search = HistorySearch(draft: editor, start: history.count)
    }

    /// Takes a key of the search.
    ///
    /// - Returns: false where the search is over, and the key means what it means without one.
    package mutating func press(inSearch key: Key, _ history: [String]) -> Bool {
        guard var search else { return false }
        let goesOn = search.press(key, in: history)
        self.search = goesOn ? search : nil
        if let index = search.match { editor = LineEditor(history[index]) }
        guard !goesOn else { return true }
        let isCancelled = HistorySearch.cancelling.contains(key)
        if isCancelled { editor = search.draft }
        return isCancelled
    }

    /// Closes the menu.
    ///
    /// - Returns: whether there was one.
    package mutating func closeMenu() -> Bool {
        defer { menu = nil }
        return menu != nil
    }
}
