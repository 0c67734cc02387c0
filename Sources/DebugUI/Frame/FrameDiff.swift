/// What has to be written to turn one frame into another: all that a terminal sees.
package struct FrameDiff: Sendable, Equatable {
    /// Changed cells beside each other that have one style.
    package struct Run: Sendable, Equatable {
        package var start: Position
        package var text: String
        package var style: Style
    }

    package var runs: [Run] = []
    /// Where the cursor is shown afterwards; `nil` hides it.
    package var cursor: Position?
    package var isCursorMoved: Bool

    package var isEmpty: Bool { runs.isEmpty && !isCursorMoved }

    /// Compares with what the terminal shows; `nil`, or a frame of another size, is an empty one.
    package init(from old: Frame?, to new: Frame) {
        let before = old.flatMap { $0.size == new.size ? $0 : nil }
        cursor = new.cursor
        isCursorMoved = before == nil || before?.cursor != new.cursor
        for row in 0..<new.size.rows {
            Self.append(row, from: before, to: new, into: &runs)
        }
    }

    private static func append(
        _ row: Int, from old: Frame?, to new: Frame, into runs: inout [Run]
    ) {
        var open: Run?
        let start = row * new.size.columns
        for column in 0..<new.size.columns {
            let cell = new.cells[start + column]
            let isChanged = old.map { $0.cells[start + column] != cell } ?? true
            if let run = open, !isChanged || run.style != cell.style {
                runs.append(run)
                open = nil
            }
            guard isChanged else { continue }
            if open == nil {
                open = Run(start: Position(row: row, column: column), text: "", style: cell.style)
            }
            open?.text.unicodeScalars.append(cell.character)
        }
        if let open { runs.append(open) }
    }
}
