/// How the styles look: the one table of colours.
///
/// Colours stand beside marks and attributes, never alone, and red and green never tell apart what
/// is shown together.
package enum Theme: String, CaseIterable, Sendable {
    /// For a dark background.
    case `default`
    /// For a light background.
    case light
    /// Without colours.
    case mono

    package subscript(style: Style) -> Look {
        switch style {
        case .normal: Look()
        case .dim, .border: Look(.dim)
        case .strong, .title, .key: Look(.bold)
        case .focusedTitle, .barStrong: Look([.bold, .reverse])
        case .cursor, .bar: Look(.reverse)
        case .changed: Look(.bold, colors[0])
        case .hidden: Look(isColored ? [] : .dim, colors[1])
        case .current: Look(.bold, colors[2])
        case .breakpoint, .error: Look(.bold, colors[3])
        case .symbol: Look([], colors[4])
        case .escape: Look(.underline, colors[4])
        }
    }

    private var isColored: Bool { self != .mono }

    /// Of what has changed, of what is hidden, of RIP, of trouble, of names.
    private var colors: [Look.Color?] {
        switch self {
        case .default:
            [
                .init(.yellow, 214), .init(.magenta, 176), .init(.cyan, 117), .init(.red, 209),
                .init(.cyan, 79),
            ]
        case .light:
            [
                .init(.magenta, 90), .init(.blue, 94), .init(.blue, 25), .init(.red, 160),
                .init(.blue, 23),
            ]
        case .mono: [nil, nil, nil, nil, nil]
        }
    }
}

/// Attributes and a colour of the text; the background is always the terminal's own.
package struct Look: Sendable, Equatable {
    package struct Attributes: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let bold = Attributes(rawValue: 1)
        package static let dim = Attributes(rawValue: 2)
        package static let underline = Attributes(rawValue: 4)
        package static let reverse = Attributes(rawValue: 8)
    }

    /// A colour for each kind of terminal.
    package struct Color: Sendable, Hashable {
        /// The first eight colours of every colour terminal.
        package enum Basic: Int16, Sendable {
            case black, red, green, yellow, blue, magenta, cyan, white
        }

        package var basic: Basic
        /// Where the terminal has 256; from 16 on, which no user redefines.
        package var indexed: Int16

        init(_ basic: Basic, _ indexed: Int16) { (self.basic, self.indexed) = (basic, indexed) }

        /// The number of the colour on a terminal that has so many.
        ///
        /// Where there are millions, numbers above the basic ones are red, green and blue.
        package func number(of count: Int32) -> Int16 {
            (256...Int32(Int16.max)).contains(count) ? indexed : basic.rawValue
        }
    }

    package var attributes: Attributes
    package var color: Color?

    init(_ attributes: Attributes = [], _ color: Color? = nil) {
        (self.attributes, self.color) = (attributes, color)
    }
}
