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
}
