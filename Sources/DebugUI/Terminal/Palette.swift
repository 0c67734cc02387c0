internal import CNcurses

/// How a style looks on a terminal.
struct Look {
    /// The base colours of every colour terminal that go with a light and a dark background.
    enum Color: Int16, CaseIterable {
        case red = 1, green, yellow, blue, magenta, cyan
    }

    var bold = false
    var dim = false
    var underline = false
    var reverse = false
    var color: Color?

    init(_ style: Style) {
        switch style {
        case .normal: break
        case .dim, .border: dim = true
        case .strong, .title: bold = true
        case .focusedTitle, .barStrong: (bold, reverse) = (true, true)
        case .changed: (bold, color) = (true, .magenta)
        case .hidden: (dim, color) = (true, .yellow)
        case .current: (bold, color) = (true, .green)
        case .cursor, .bar: reverse = true
        case .breakpoint, .error: (bold, color) = (true, .red)
        case .symbol: (bold, color) = (true, .cyan)
        case .escape: (underline, color) = (true, .cyan)
        case .key: bold = true
        }
    }

    var attributes: attr_t { cncurses_attributes(bold, dim, underline, reverse) }
}

/// The looks of all styles, as ncurses takes them.
struct Palette {
    private var attributes: [attr_t] = []
    private var pairs: [Int16] = []

    /// Without colours, and on terminals that have none, bold and reverse are left.
    init(usesColor: Bool) {
        let hasColor = usesColor && cncurses_start_colors()
        if hasColor {
            for color in Look.Color.allCases { init_pair(color.rawValue, color.rawValue, -1) }
        }
        for style in Style.allCases {
            let look = Look(style)
            attributes.append(look.attributes)
            pairs.append(hasColor ? look.color?.rawValue ?? 0 : 0)
        }
    }

    subscript(style: Style) -> (attributes: attr_t, pair: Int16) {
        (attributes[Int(style.rawValue)], pairs[Int(style.rawValue)])
    }
}
