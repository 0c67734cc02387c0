/// The words that a command line may go on with.
enum MenuView {
    /// Columns of a menu, and the rows that it shows.
    struct Shape: Equatable {
        var width: Int
        var columns: Int
        var rows: Int

        /// As many columns as fit the longest word, and a third of the screen at most.
        init(_ menu: CompletionMenu, _ size: Size) {
            let longest = menu.words.reduce(0) { max($0, $1.unicodeScalars.count) }
            width = min(longest + 3, max(1, size.columns))
            columns = max(1, size.columns / width)
            rows = min((menu.words.count + columns - 1) / columns, max(1, size.rows / 3))
        }

        /// The first row shown: the chosen word is always in sight.
        func top(_ menu: CompletionMenu) -> Int {
            max(0, (menu.selected ?? 0) / columns - rows + 1)
        }
    }
}

extension Frame {
    /// Draws the words in columns, row by row, above the command line.
    mutating func drawMenu(_ menu: CompletionMenu, _ state: UIState, above end: Int) {
        let shape = MenuView.Shape(menu, size)
        let first = shape.top(menu) * shape.columns
        let shown = first..<min(menu.words.count, first + shape.rows * shape.columns)
        let area = Rect(
            row: end - shape.rows - 1, column: 0, rows: shape.rows + 1, columns: size.columns)
        fill(area)
        fill(area.line(0), state.glyphs.horizontal, .border)
        let place =
            shown.count < menu.words.count
            ? "\(first + 1)-\(shown.upperBound) of \(menu.words.count)" : "\(menu.words.count)"
        draw(" \(place) words \(state.glyphs.dot) Tab chooses ", .title, in: area.line(0).indented)
        for index in shown {
            let (row, column) = (index - first).quotientAndRemainder(dividingBy: shape.columns)
            let cell = Rect(
                row: area.row + 1 + row, column: column * shape.width, rows: 1,
                columns: shape.width - 1)
            let isSelected = index == menu.selected
            draw((isSelected ? ">" : " ") + menu.words[index], in: cell)
            if isSelected { restyle(cell, .cursor) }
        }
    }
}

extension Rect {
    /// Without its first column.
    fileprivate var indented: Rect {
        var rest = self
        _ = rest.takeLeft(1)
        return rest
    }
}
