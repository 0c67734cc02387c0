internal import CNcurses

/// The looks of all styles, as ncurses takes them.
struct Palette {
    private var attributes: [attr_t] = []
    private var pairs: [Int16] = []

    /// Without colours, and on terminals that have none, the attributes are left.
    init(_ theme: Theme, usesColor: Bool) {
        let count = usesColor && theme != .mono ? cncurses_start_colors() : 0
        for style in Style.allCases {
            let look = (count > 0 ? theme : .mono)[style]
            attributes.append(look.attributes.ncurses)
            let pair = look.color == nil ? 0 : Int16(style.rawValue) + 1
            if let color = look.color { init_pair(pair, color.number(of: count), -1) }
            pairs.append(pair)
        }
    }

    subscript(style: Style) -> (attributes: attr_t, pair: Int16) {
        (attributes[Int(style.rawValue)], pairs[Int(style.rawValue)])
    }
}

extension Look.Attributes {
    fileprivate var ncurses: attr_t {
        cncurses_attributes(
            contains(.bold), contains(.dim), contains(.underline), contains(.reverse))
    }
}
