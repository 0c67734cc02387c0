/// The size of a screen in character cells.
package struct Size: Sendable, Equatable {
    package var columns: Int
    package var rows: Int

    package init(columns: Int, rows: Int) {
        self.columns = max(0, columns)
        self.rows = max(0, rows)
    }
}

/// A place on a screen, from 0 at the top left.
package struct Position: Sendable, Equatable {
    package var row: Int
    package var column: Int
}

/// A rectangle of character cells.
package struct Rect: Sendable, Equatable {
    package var row: Int
    package var column: Int
    package var rows: Int
    package var columns: Int

    package init(row: Int, column: Int, rows: Int, columns: Int) {
        self.row = row
        self.column = column
        self.rows = max(0, rows)
        self.columns = max(0, columns)
    }

    package init(_ size: Size) {
        self.init(row: 0, column: 0, rows: size.rows, columns: size.columns)
    }

    /// Cuts rows off the top, as many as there are at most.
    mutating func takeTop(_ count: Int) -> Rect {
        let taken = min(max(0, count), rows)
        defer { (row, rows) = (row + taken, rows - taken) }
        return Rect(row: row, column: column, rows: taken, columns: columns)
    }

    /// Cuts rows off the bottom, as many as there are at most.
    mutating func takeBottom(_ count: Int) -> Rect {
        rows -= min(max(0, count), rows)
        return Rect(row: row + rows, column: column, rows: max(0, count), columns: columns)
    }

    /// Cuts columns off the left, as many as there are at most.
    mutating func takeLeft(_ count: Int) -> Rect {
        let taken = min(max(0, count), columns)
        defer { (column, columns) = (column + taken, columns - taken) }
        return Rect(row: row, column: column, rows: rows, columns: taken)
    }

    /// Cuts columns off the right, as many as there are at most.
    mutating func takeRight(_ count: Int) -> Rect {
        let taken = min(max(0, count), columns)
        columns -= taken
        return Rect(row: row, column: column + columns, rows: rows, columns: taken)
    }

    /// One row of the rectangle, counted from its top.
    func line(_ index: Int) -> Rect {
        Rect(
            row: row + index, column: column, rows: (0..<rows).contains(index) ? 1 : 0,
            columns: columns)
    }

    /// A rectangle of this size in the middle, no larger than the whole.
    func centred(rows: Int, columns: Int) -> Rect {
        let (high, wide) = (min(rows, self.rows), min(columns, self.columns))
        return Rect(
            row: row + (self.rows - high) / 2, column: column + (self.columns - wide) / 2,
            rows: high, columns: wide)
    }

    func contains(_ position: Position) -> Bool {
        (row..<row + rows).contains(position.row)
            && (column..<column + columns).contains(position.column)
    }

    /// Without its outermost cells.
    var inside: Rect {
        Rect(row: row + 1, column: column + 1, rows: rows - 2, columns: columns - 2)
    }
}
