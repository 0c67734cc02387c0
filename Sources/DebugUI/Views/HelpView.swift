/// The help, made from the table of actions.
enum HelpView {
    /// The marks of the panes; nothing else carries a meaning without words.
    private static let marks: [(mark: String, meaning: String)] = [
        (">", "current instruction, vCPU, exit"), ("B", "breakpoint"),
        ("*", "changed since the last stop"), ("!", "VMGEXIT that was not ok"),
        ("<...>", "value that cannot be seen"),
    ]

    /// The whole help: the focused pane, then the keys, in two columns where they fit.
    static func rows(_ state: UIState) -> [StyledText] {
        let pane = state.focus
        let head = StyledText("Pane \(pane.number) \(pane.title)", .strong)
        return [head] + pane.help.map { row($0.mark, $0.meaning) } + [StyledText()]
            + keys(state.keyMap, width: state.size.columns)
    }

    private static func keys(_ keyMap: KeyMap, width: Int) -> [StyledText] {
        let left = rows(of: .guest, keyMap) + [StyledText()] + rows(of: .pane, keyMap)
        let right =
            rows(of: .screen, keyMap) + [StyledText(), StyledText("Marks", .strong)]
            + marks.map { row($0.mark, $0.meaning) }
        let column = (left.map(\.width).max() ?? 0) + 2
        guard column + (right.map(\.width).max() ?? 0) <= width - 4 else {
            return left + [StyledText()] + right
        }
        return (0..<max(left.count, right.count)).map { index in
            var line = index < left.count ? left[index] : StyledText()
            guard index < right.count else { return line }
            line.pad(to: column)
            return line + right[index]
        }
    }

    private static func rows(of group: Action.Group, _ keyMap: KeyMap) -> [StyledText] {
        let actions = keyMap.actions.filter { $0.group == group }
        let width = actions.map(\.keyNames.unicodeScalars.count).max() ?? 0
        return [StyledText(group.rawValue, .strong)]
            + actions.map { row($0.keyNames, $0.help, width) }
    }

    private static func row(_ key: String, _ help: String, _ width: Int = 8) -> StyledText {
        StyledText(key.padded(max(8, width)), .key) + StyledText(" " + help)
    }

    /// Rows of the help that a screen shows at once.
    static func pageRows(_ state: UIState) -> Int {
        max(1, min(state.size.rows - 3, rows(state).count))
    }
}

extension Frame {
    mutating func drawHelp(top: Int, _ state: UIState) {
        let lines = HelpView.rows(state)
        let rows = HelpView.pageRows(state)
        var screen = Rect(size)
        _ = screen.takeBottom(1)
        let area = screen.centred(rows: rows + 2, columns: (lines.map(\.width).max() ?? 0) + 4)
        box(area, "sevdbg help", state.glyphs)
        for (index, line) in lines.dropFirst(top).prefix(rows).enumerated() {
            var place = area.inside.line(index)
            _ = place.takeLeft(1)
            draw(line, in: place)
        }
        drawFoot(of: area, top: top, rows: rows, count: lines.count)
    }
}
