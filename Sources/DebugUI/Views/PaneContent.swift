/// What a pane shows, row by row; rows are made only when they are drawn.
struct PaneContent {
    /// What follows the pane's name in its title.
    var title = ""
    var count: Int
    /// The row that the cursor is on, in panes that have one: it is always shown.
    var cursor: Int?
    /// The first row shown, in panes without a cursor; `nil`: the last rows.
    var top: Int? = 0
    /// The first row shown for as long as the cursor is below it and in sight.
    var keptTop: Int?
    /// Whether the rows are a part of something that has no end.
    var isEndless = false
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
        case .memory: self = MemoryPaneView.content(state, width: width)
        case .findings: self = FindingsView.content(state)
        case .vcpus: self = VCPUsView.content(state, width: width)
        }
    }

    /// The first row shown when `rows` fit.
    func top(rows: Int) -> Int {
        let last = max(0, count - rows)
        guard let cursor else { return min(max(0, top ?? last), last) }
        if let keptTop, (keptTop..<keptTop + rows).contains(cursor) { return min(keptTop, last) }
        return min(max(0, cursor - rows / 3), last)
    }
}

extension Frame {
    /// Draws the pane in front of an area: its title as a rule, and its rows.
    mutating func draw(_ area: Layout.Area, of state: UIState) {
        let (pane, inside) = (area.front, area.inside)
        let content = PaneContent(pane, in: state, width: inside.columns)
        let top = content.top(rows: inside.rows)
        drawTitle(area, content, top: top, of: state)
        let marked = pane == state.focus ? content.cursor ?? state.scroll[pane.rawValue].hit : nil
        for row in top..<max(top, min(content.count, top + inside.rows)) {
            let line = inside.line(row - top)
            draw(
                content.line(row), in: line, skipping: state.scroll[pane.rawValue].column,
                mark: state.glyphs.more)
            if row == marked { restyle(line, .cursor) }
        }
    }
}
