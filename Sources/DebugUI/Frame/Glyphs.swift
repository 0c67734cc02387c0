/// The characters that lines and marks are drawn with.
package struct Glyphs: Sendable, Equatable {
    package var horizontal: Unicode.Scalar
    package var vertical: Unicode.Scalar
    package var topLeft, topRight, bottomLeft, bottomRight: Unicode.Scalar
    /// Junctions of a vertical line: with a line above it on both sides, and with one on its right,
    /// on its left, and on both.
    package var teeDown, teeRight, teeLeft, cross: Unicode.Scalar
    /// Between the parts of a title.
    package var dot: Unicode.Scalar
    /// At the right edge where a line goes on.
    package var more: Unicode.Scalar
    /// In a title: there is more above, or below.
    package var up, down: Unicode.Scalar
    /// In a bar: what is done, and what is to come.
    package var full, empty: Unicode.Scalar

    package static let unicode = Glyphs(
        horizontal: "─", vertical: "│", topLeft: "┌", topRight: "┐", bottomLeft: "└",
        bottomRight: "┘", teeDown: "┬", teeRight: "├", teeLeft: "┤", cross: "┼", dot: "·",
        more: "…", up: "↑", down: "↓", full: "█", empty: "░")

    package static let ascii = Glyphs(
        horizontal: "-", vertical: "|", topLeft: "+", topRight: "+", bottomLeft: "+",
        bottomRight: "+", teeDown: "+", teeRight: "+", teeLeft: "+", cross: "+", dot: "-",
        more: ">", up: "^", down: "v", full: "#", empty: ".")
}

extension Frame {
    /// Draws the border of a box and empties its inside.
    mutating func box(_ area: Rect, _ title: String, _ glyphs: Glyphs) {
        guard area.rows > 1, area.columns > 1 else { return }
        fill(area)
        fill(area.line(0), glyphs.horizontal, .border)
        fill(area.line(area.rows - 1), glyphs.horizontal, .border)
        let (bottom, right) = (area.row + area.rows - 1, area.column + area.columns - 1)
        for row in area.row...bottom {
            self[row, area.column] = Cell(glyphs.vertical, .border)
            self[row, right] = Cell(glyphs.vertical, .border)
        }
        self[area.row, area.column] = Cell(glyphs.topLeft, .border)
        self[area.row, right] = Cell(glyphs.topRight, .border)
        self[bottom, area.column] = Cell(glyphs.bottomLeft, .border)
        self[bottom, right] = Cell(glyphs.bottomRight, .border)
        var head = area.line(0)
        head.column += 2
        head.columns = max(0, head.columns - 4)
        draw(" " + title + " ", .focusedTitle, in: head)
    }
}
