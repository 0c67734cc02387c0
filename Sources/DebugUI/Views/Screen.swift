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
    for area in layout.areas { frame.draw(area, of: state) }
    frame.drawDividers(state.glyphs, layout)
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

    /// The lines between the columns, joined to the titles on both sides.
    fileprivate mutating func drawDividers(_ glyphs: Glyphs, _ layout: Layout) {
        for divider in layout.dividers {
            fill(divider, glyphs.vertical, .border)
            for row in divider.row..<divider.row + divider.rows {
                let titles = layout.areas.map { $0.frame.line(0) }.filter { $0.row == row }
                let isLeft = titles.contains { $0.column + $0.columns == divider.column }
                let isRight = titles.contains { $0.column == divider.column + 1 }
                let glyph =
                    switch (isLeft, isRight) {
                    case (true, true): row == divider.row ? glyphs.teeDown : glyphs.cross
                    case (false, true): glyphs.teeRight
                    case (true, false): glyphs.teeLeft
                    case (false, false): glyphs.vertical
                    }
                self[row, divider.column] = Cell(glyph, .border)
            }
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
        case .prompt(let prompt):
            drawPrompt(prompt, in: layout.bottom)
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
