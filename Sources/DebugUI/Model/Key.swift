/// A key as the terminal reports it.
package enum Key: Sendable, Hashable, ExpressibleByUnicodeScalarLiteral {
    case character(Unicode.Scalar)
    /// Ctrl with a small letter.
    case control(Unicode.Scalar)
    case function(Int)
    case enter, escape, tab, backTab, backspace, delete
    case up, down, left, right, home, end, pageUp, pageDown

    package init(unicodeScalarLiteral character: Unicode.Scalar) { self = .character(character) }

    /// The name that help shows.
    package var name: String {
        switch self {
        case .character(" "): "Space"
        case .character(let character): String(character)
        case .control(let letter): "^" + String(letter).uppercased()
        case .function(let number): "F\(number)"
        case .enter: "Enter"
        case .escape: "Esc"
        case .tab: "Tab"
        case .backTab: "S-Tab"
        case .backspace: "Backspace"
        case .delete: "Del"
        case .up: "Up"
        case .down: "Down"
        case .left: "Left"
        case .right: "Right"
        case .home: "Home"
        case .end: "End"
        case .pageUp: "PgUp"
        case .pageDown: "PgDn"
        }
    }

    /// The key that help shows under a name; `nil` where no key has it.
    package init?(name: String) {
        guard let key = Self.named[name] ?? Self.character(name) else { return nil }
        self = key
    }

    /// All keys but the characters.
    private static let named: [String: Key] = {
        let plain: [Key] = [
            " ", .enter, .escape, .tab, .backTab, .backspace, .delete, .up, .down, .left, .right,
            .home,

            .end, .pageUp, .pageDown,
        ]
        // Terminals send Backspace, Tab and Enter for ^H, ^I, ^J and ^M.
        let letters = "abcdefgklnopqrstuvwxyz".unicodeScalars.map(Key.control)
        let keys = plain + letters + (1...12).map(Key.function)
        return Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0) })
    }()

    private static func character(_ name: String) -> Key? {
        let scalars = name.unicodeScalars
        guard scalars.count == 1, let first = scalars.first, Cell.isNarrow(first) else {
            return nil
        }
        return .character(first)
    }
}
