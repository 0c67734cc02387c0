import VCPUControl

/// The words that the end of a command line may become, none or one of them chosen.
package struct CompletionMenu: Sendable, Equatable {
    package let words: [String]
    /// The place of the word that stands in the line; `nil`: only what all have in common does.
    package private(set) var selected: Int?
    /// The line in front of the word.
    private let kept: String

    /// Puts what is certain into the line.
    ///
    /// - Returns: `nil` where there is nothing to choose from.
    init?(_ completion: Completion, _ editor: inout LineEditor) {
        (kept, words) = (completion.kept, completion.words)
        guard let first = words.first else { return nil }
        guard words.count > 1 else {
            editor = LineEditor(kept + first + (first.hasSuffix("=") ? "" : " "))
            return nil
        }
        let typed = editor.characters.count - kept.unicodeScalars.count
        let common = words.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
        // Words are found whatever their case: together they may have less than was typed.
        if common.unicodeScalars.count >= typed { editor = LineEditor(kept + common) }
    }

    /// Chooses the word a number of places further on, in a circle.
    mutating func select(_ step: Int, _ editor: inout LineEditor) {
        let start = selected ?? (step > 0 ? -1 : 0)
        let index = (start + step + words.count) % words.count
        selected = index
        editor = LineEditor(kept + words[index])
    }
}

extension String {
    fileprivate func commonPrefix(with other: String) -> String {
        String(zip(self, other).prefix { $0.0 == $0.1 }.map(\.0))
    }
}
