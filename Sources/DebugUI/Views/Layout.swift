/// Where everything is on a screen of one size.
package struct Layout: Sendable, Equatable {
    /// Smaller screens show only that they are too small.
    package static let minimum = Size(columns: 60, rows: 16)
    /// From this width on, values have room for their source and code for its bytes.
    package static let wide = 110

    package let status: Rect
    /// The key line, which messages and the command line take over.
    package let bottom: Rect
    /// The line between the registers and the rest; empty when one pane has the whole screen.
    package private(set) var divider = Rect(row: 0, column: 0, rows: 0, columns: 0)
    /// By `Pane.rawValue`: the title's row and the rows below it; `nil` where a pane is not shown.
    private var frames = [Rect?](repeating: nil, count: Pane.allCases.count)

    /// Divides a screen among the panes; a zoomed pane has it alone.
    package init(_ size: Size, zoomed: Pane? = nil) {
        var area = Rect(size)
        status = area.takeTop(1)
        bottom = area.takeBottom(1)
        guard zoomed == nil else {
            zoomed.map { frames[$0.rawValue] = area }
            return
        }
        let isWide = size.columns >= Self.wide
        frames[Pane.registers.rawValue] = area.takeLeft(isWide ? 39 : 24)
        divider = area.takeLeft(1)
        stack(area)
    }

    package init(_ state: UIState) {
        self.init(state.size, zoomed: state.isZoomed ? state.focus : nil)
    }

    /// Code, GHCB, VMGEXITs and console on top of each other, each with a title row.
    private mutating func stack(_ area: Rect) {
        var area = area
        let free = max(0, area.rows - 4)
        let (console, log) = (max(1, free / 8), max(2, free / 5))
        let code = max(3, (free - console - log) / 2)
        frames[Pane.code.rawValue] = area.takeTop(1 + code)
        frames[Pane.console.rawValue] = area.takeBottom(1 + console)
        frames[Pane.log.rawValue] = area.takeBottom(1 + log)
        frames[Pane.ghcb.rawValue] = area
    }

    /// The title row of a pane; `nil` where it is not shown.
    package func title(_ pane: Pane) -> Rect? { frames[pane.rawValue]?.line(0) }

    /// The rows that a pane's content has; none where it is not shown.
    package subscript(pane: Pane) -> Rect {
        var area = frames[pane.rawValue] ?? Rect(row: 0, column: 0, rows: 0, columns: 0)
        _ = area.takeTop(1)
        return area
    }

    /// Rows that the box of an answer gives to its lines.
    static func answerRows(_ lines: Int, in size: Size) -> Int { min(lines, size.rows - 6) }

    /// Facts of a comparison that stand above what scrolls: all, or on a low screen those that fit.
    static func comparisonFacts(_ page: ComparisonPage, in size: Size) -> Int {
        min(page.facts.count, max(0, size.rows - 11))
    }

    /// Rows that a comparison gives to what scrolls: all but facts, two headings and the keys.
    static func comparisonRows(_ page: ComparisonPage, in size: Size) -> Int {
        max(1, size.rows - comparisonFacts(page, in: size) - 3)
    }
}
