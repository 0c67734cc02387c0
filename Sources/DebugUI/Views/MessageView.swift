extension Frame {
    /// The message in the rows that end above one, as many as it needs, at most half the screen.
    mutating func drawMessage(_ state: UIState, above end: Int) {
        guard let message = state.message else { return }
        let text = (message.isError ? "error: " : "") + message.text
        let lines = text.split(whereSeparator: \.isNewline).flatMap {
            String($0).wrapped(size.columns)
        }
        let shown = lines.prefix(size.rows / 2)
        for (index, line) in shown.enumerated() {
            let row = Rect(size).line(end - shown.count + index)
            fill(row)
            draw(line, message.isError ? .error : .strong, in: row)
        }
    }

    /// The lines of an answer in a box above the key line.
    mutating func drawAnswer(_ state: UIState, _ layout: Layout) {
        guard let answer = state.answer else { return }
        let rows = Layout.answerRows(answer.lines.count, in: size)
        let area = Rect(
            row: layout.bottom.row - rows - 2, column: 0, rows: rows + 2, columns: size.columns)
        box(area, answer.command, state.glyphs)
        for (index, line) in answer.lines.dropFirst(answer.top).prefix(rows).enumerated() {
            draw(
                StyledText(line), in: area.inside.line(index), skipping: answer.column,
                mark: state.glyphs.more)
        }
        drawFoot(of: area, top: answer.top, rows: rows, count: answer.lines.count)
    }

    /// Tells in a box's lower border how to go on.
    mutating func drawFoot(of box: Rect, top: Int, rows: Int, count: Int) {
        let place = "\(top + 1)-\(min(count, top + rows))/\(count)"
        let text = count > rows ? " \(place)  Up Down PgUp PgDn  Esc closes " : " Esc closes "
        var foot = box.line(box.rows - 1)
        _ = foot.takeLeft(foot.columns - text.utf8.count - 2)
        draw(text, .border, in: foot)
    }
}
