extension Frame {
    /// A pane's title as a rule: number and name, in brackets where it has the keys, what it shows,
    /// and on the right the panes behind it and the rows shown.
    mutating func drawTitle(
        _ area: Layout.Area, _ content: PaneContent, top: Int, of state: UIState
    ) {
        let (row, glyphs) = (area.frame.line(0), state.glyphs)
        fill(row, glyphs.horizontal, .border)
        let text = Self.name(area.front, content, state)
        var room = row
        _ = room.takeLeft(1)
        let behind = area.behind.map { " " + Self.label($0, state) + " " }.joined()
        let width = room.columns - text.width - behind.unicodeScalars.count
        let place = content.place(top: top, rows: area.inside.rows, glyphs, width: width)
        for part in [place, behind] where !part.isEmpty {
            room.columns -= 1
            draw(part, .border, in: room.takeRight(part.unicodeScalars.count))
        }
        draw(text, in: room, mark: glyphs.more)
    }

    private static func name(
        _ pane: Pane, _ content: PaneContent, _ state: UIState
    ) -> StyledText {
        let isFocused = pane == state.focus
        let label = label(pane, state)
        var text = StyledText(
            isFocused ? "[\(label)]" : " \(label) ", isFocused ? .focusedTitle : .title)
        if !content.title.isEmpty {
            text.add("\(state.glyphs.dot) \(content.title) ", isFocused ? .strong : .border)
        }
        return text
    }

    /// Number and name, and how many findings there are.
    private static func label(_ pane: Pane, _ state: UIState) -> String {
        "\(pane.number) \(pane.title)" + (pane == .findings ? state.findings.badge : "")
    }
}

extension PaneContent {
    /// Which rows are shown, if not all: in numbers, or as arrows where there is little room.
    fileprivate func place(top: Int, rows: Int, _ glyphs: Glyphs, width: Int) -> String {
        guard count > rows, !isEndless else { return "" }
        let numbers = " \(top + 1)-\(min(count, top + rows))/\(count) "
        if numbers.utf8.count < width { return numbers }
        let above = top > 0 ? String(glyphs.up) : ""
        return above + (top + rows < count ? String(glyphs.down) : "")
    }
}
