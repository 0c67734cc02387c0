/// What a pane shows, row by row; rows are made only when they are drawn.
struct PaneContent {
    /// What follows the pane's name in its title.
    var title = ""
    var count: Int
    /// The row that the cursor is on, in panes that have one: it is always shown.
    var cursor: Int?
    /// The first row shown, in panes without a cursor; `nil`: the last rows.
    var top: Int? = 0
    var line: (Int) -> StyledText

    init(
        title: String = "", count: Int, cursor: Int? = nil, top: Int? = 0,
        line: @escaping (Int) -> StyledText
    ) {
        (self.title, self.count, self.cursor) = (title, count, cursor)
        (self.top, self.line) = (top, line)
    }

    init(title: String = "", _ lines: [StyledText], top: Int? = 0) {
        self.init(title: title, count: lines.count, top: top) { lines[$0] }
    }

    init(_ pane: Pane, in state: UIState, width: Int) {
        switch pane {
        case .registers where state.isRunning && state.run.guest != nil:
            self = RunningView.content(state, width: width)
        case .registers: self = RegistersView.content(state, width: width)
        case .code: self = CodeView.content(state, width: width)
        case .ghcb: self = GHCBView.content(state, width: width)
        case .log: self = LogView.content(state, width: width)
        case .console: self = ConsoleView.content(state)
        }
    }

    /// The first row shown when `rows` fit.
    func top(rows: Int) -> Int {
        let last = max(0, count - rows)
        guard let cursor else { return min(max(0, top ?? last), last) }
        return min(max(0, cursor - rows / 3), last)
    }
}

extension Frame {
    /// Draws a pane's title as a rule, and its rows.
    mutating func draw(_ pane: Pane, of state: UIState, in layout: Layout) {
        guard let title = layout.title(pane) else { return }
        let area = layout[pane]
        let content = PaneContent(pane, in: state, width: area.columns)
        let top = content.top(rows: area.rows)
        drawTitle(pane, content, top: top, rows: area.rows, of: state, in: title)
        let isFocused = pane == state.focus
        for row in top..<max(top, min(content.count, top + area.rows)) {
            let line = area.line(row - top)
            draw(
                content.line(row), in: line, skipping: state.scroll[pane.rawValue].column,
                mark: state.glyphs.more)
            if isFocused, row == content.cursor { restyle(line, .cursor) }
        }
    }

    /// The rule with number and name, in brackets where the pane has the keys, and the rows shown.
    private mutating func drawTitle(
        _ pane: Pane, _ content: PaneContent, top: Int, rows: Int, of state: UIState, in area: Rect
    ) {
        let (isFocused, glyphs) = (pane == state.focus, state.glyphs)
        fill(area, glyphs.horizontal, .border)
        let name = "\(pane.number) \(pane.title)"
        var text = StyledText(
            isFocused ? "[\(name)]" : " \(name) ", isFocused ? .focusedTitle : .title)
        if !content.title.isEmpty {
            text.add("\(glyphs.dot) \(content.title) ", isFocused ? .strong : .border)
        }
        var inner = area
        _ = inner.takeLeft(1)
        let place = content.place(top: top, rows: rows, glyphs, width: inner.columns - text.width)
        let count = place.unicodeScalars.count
        let right = Rect(
            row: area.row, column: area.column + area.columns - count - 1, rows: 1, columns: count)
        inner.columns -= count == 0 ? 0 : count + 1
        draw(text, in: inner, mark: glyphs.more)
        draw(place, .border, in: right)
    }
}

extension PaneContent {
    /// Which rows are shown, if not all: in numbers, or as arrows where there is little room.
    fileprivate func place(top: Int, rows: Int, _ glyphs: Glyphs, width: Int) -> String {
        guard count > rows else { return "" }
        let numbers = " \(top + 1)-\(min(count, top + rows))/\(count) "
        if numbers.utf8.count < width { return numbers }
        let above = top > 0 ? String(glyphs.up) : ""
        return above + (top + rows < count ? String(glyphs.down) : "")
    }
}
