/// Makes the whole screen from the state.
package func render(_ state: UIState, _ size: Size) -> Frame {
    var state = state
    state.size = size
    var frame = Frame(size)
    guard size.columns >= Layout.minimum.columns, size.rows >= Layout.minimum.rows else {
        frame.drawTooSmall(state)
        return frame
    }
    let layout = Layout(state)
    frame.drawStatus(state, in: layout.status)
    for pane in Pane.allCases { frame.draw(pane, of: state, in: layout) }
    frame.drawDivider(state, layout)
    frame.drawAnswer(state, layout)
    frame.drawMode(state, layout)
    return frame
}

extension Frame {
    fileprivate mutating func drawTooSmall(_ state: UIState) {
        let need = Layout.minimum
        let text =
            "terminal too small (\(size.columns)x\(size.rows)), "
            + "need \(need.columns)x\(need.rows)"
        draw(text, in: Rect(size).line(0))
        if state.mode == .quitQuestion { draw(QuitView.question, in: Rect(size).line(1)) }
    }

    /// The line right of the registers, joined to the titles on its right.
    fileprivate mutating func drawDivider(_ state: UIState, _ layout: Layout) {
        let area = layout.divider
        fill(area, state.glyphs.vertical, .border)
        for pane in Pane.allCases {
            guard pane != .registers, let title = layout.title(pane) else { continue }
            let glyph = title.row == area.row ? state.glyphs.teeDown : state.glyphs.teeRight
            if area.rows > 0 { self[title.row, area.column] = Cell(glyph, .border) }
        }
    }

    fileprivate mutating func drawMode(_ state: UIState, _ layout: Layout) {
        switch state.mode {
        case .normal:
            drawKeys(state, in: layout.bottom)
            drawMessage(state, above: layout.bottom.row + 1)
        case .commandLine(let line):
            if let menu = line.menu {
                drawMenu(menu, state, above: layout.bottom.row)
            } else {
                drawMessage(state, above: layout.bottom.row)
            }
            drawCommandInput(line, in: layout.bottom)
        case .help(let top):
            drawKeys(state, in: layout.bottom)
            drawHelp(top: top, state)
        case .quitQuestion:
            drawKeys(state, in: layout.bottom)
            drawQuestion(state, in: layout.bottom)
        case .comparison(let page):
            drawComparison(page, state)
            drawMessage(state, above: layout.bottom.row + 1)
        }
    }
}
