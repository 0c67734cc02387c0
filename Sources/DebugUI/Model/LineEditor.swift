/// A line of input being edited.
package struct LineEditor: Sendable, Equatable {
    package private(set) var characters: [Unicode.Scalar] = []
    /// 0…count: the character that the cursor is on.
    package private(set) var cursor = 0

    package init() {}

    /// Puts the cursor behind the text.
    package init(_ text: some StringProtocol) {
        characters = Array(text.unicodeScalars)
        cursor = characters.count
    }

    package var text: String {
        String(String.UnicodeScalarView(characters))
    }

    /// Text before the cursor.
    package var head: String { String(String.UnicodeScalarView(characters[..<cursor])) }

    /// Inserts text; control characters in it become blanks.
    package mutating func insert(_ text: some Sequence<Unicode.Scalar>) {
        for character in text where characters.count < 4096 {
            let isControl = character.value < 0x20 || (0x7f...0x9f).contains(character.value)
            characters.insert(isControl ? " " : character, at: cursor)
            cursor += 1
        }
    }

    /// Carries out an editing key.
    ///
    /// - Returns: whether it is one.
    package mutating func edit(_ key: Key) -> Bool {
        switch key {
        case .character(let character): insert(CollectionOfOne(character))
        case .left, .control("b"): cursor = max(0, cursor - 1)
        case .right, .control("f"): cursor = min(characters.count, cursor + 1)
        case .home, .control("a"): cursor = 0
        case .end, .control("e"): cursor = characters.count
        case .backspace: remove(from: max(0, cursor - 1))
        case .delete, .control("d"): if cursor < characters.count { characters.remove(at: cursor) }
        case .control("u"): remove(from: 0)
        case .control("k"): characters.removeSubrange(cursor...)
        case .control("w"): remove(from: startOfWord)
        default: return false
        }
        return true
    }

    private mutating func remove(from start: Int) {
        characters.removeSubrange(start..<cursor)
        cursor = start
    }

    private var startOfWord: Int {
        var start = cursor
        while start > 0, characters[start - 1] == " " { start -= 1 }
        while start > 0, characters[start - 1] != " " { start -= 1 }
        return start
    }
}
