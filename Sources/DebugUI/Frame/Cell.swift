/// One character position of a screen: a character that is one column wide, and what it means.
package struct Cell: Sendable, Equatable {
    package private(set) var character: Unicode.Scalar
    package var style: Style

    /// Makes a cell; a character that is not exactly one column wide becomes `?`.
    package init(_ character: Unicode.Scalar = " ", _ style: Style = .normal) {
        self.character = Self.isNarrow(character) ? character : "?"
        self.style = style
    }

    /// Whether every terminal draws the character in one column, and does nothing else with it.
    static func isNarrow(_ character: Unicode.Scalar) -> Bool {
        switch character.value {
        case 0x20...0x7e: true
        case 0xad: false
        case 0xa1...0x17f: true
        case 0x391...0x3c9, 0x410...0x44f: true
        case 0x2013, 0x2014, 0x2022, 0x2026: true
        case 0x2190...0x2193, 0x2500...0x257f, 0x2580...0x2593: true
        default: false
        }
    }
}
