/// A whole screen as a value; drawing outside it, or outside the rectangle given, does nothing.
package struct Frame: Sendable, Equatable {
    package let size: Size
    /// Row by row from the top left.
    package private(set) var cells: [Cell]
    /// Where the terminal's own cursor is shown; `nil` hides it.
    package var cursor: Position?

    /// An empty screen.
    package init(_ size: Size) {
        self.size = size
        cells = Array(repeating: Cell(), count: size.columns * size.rows)
    }

    /// The cell at a place, which must be on the screen to have any effect.
    package subscript(row: Int, column: Int) -> Cell {
        get { index(row, column).map { cells[$0] } ?? Cell() }
        set { if let index = index(row, column) { cells[index] = newValue } }
    }

    private func index(_ row: Int, _ column: Int) -> Int? {
        guard (0..<size.rows).contains(row), (0..<size.columns).contains(column) else { return nil }
        return row * size.columns + column
    }

    /// Writes text from the left of a rectangle's first row on, and leaves the rest of it alone.
    package mutating func draw(_ text: String, _ style: Style = .normal, in area: Rect) {
        draw(StyledText(text, style), in: area)
    }

    /// Writes a line in a rectangle's first row.
    ///
    /// `skipped` columns of the text are scrolled out on the left; `mark` takes the last column
    /// where the text goes on to the right.
    package mutating func draw(
        _ text: StyledText, in area: Rect, skipping skipped: Int = 0, mark: Unicode.Scalar? = nil
    ) {
        guard area.rows > 0, area.columns > 0 else { return }
        var column = area.column - skipped
        for span in text.spans {
            for character in span.text.unicodeScalars {
                guard column < area.column + area.columns else {
                    if let mark { self[area.row, column - 1] = Cell(mark, .dim) }
                    return
                }
                if column >= area.column { self[area.row, column] = Cell(character, span.style) }
                column += 1
            }
        }
    }

    /// Fills a rectangle with one character.
    package mutating func fill(
        _ area: Rect, _ character: Unicode.Scalar = " ", _ style: Style = .normal
    ) {
        for row in area.row..<area.row + area.rows {
            for column in area.column..<area.column + area.columns {
                self[row, column] = Cell(character, style)
            }
        }
    }

    /// Gives every cell of a rectangle another meaning, and leaves its characters.
    package mutating func restyle(_ area: Rect, _ style: Style) {
        for row in area.row..<area.row + area.rows {
            for column in area.column..<area.column + area.columns {
                self[row, column].style = style
            }
        }
    }

    /// The characters row by row, without the blanks at the end of each.
    package var text: String {
        (0..<size.rows).map { row in
            var line = String.UnicodeScalarView()
            for column in 0..<size.columns { line.append(self[row, column].character) }
            while line.last == " " { line.removeLast() }
            return String(line) + "\n"
        }.joined()
    }
}
