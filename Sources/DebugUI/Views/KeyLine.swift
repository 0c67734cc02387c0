extension Frame {
    /// The last row: the keys that matter, as many as fit, from the table of actions.
    mutating func drawKeys(_ state: UIState, in area: Rect) {
        guard !state.isRunning else {
            draw(StyledText("^C", .key) + StyledText(" interrupts the guest", .dim), in: area)
            return
        }
        var line = StyledText()
        let help = Self.hint(KeyMap.standard["?"])
        for action in Action.all where action.name != "help" {
            let hint = Self.hint(action)
            guard hint.width > 0 else { continue }
            guard line.width + hint.width + help.width <= area.columns else { break }
            line = line + hint
        }
        draw(line + help, in: area)
    }

    private static func hint(_ action: Action?) -> StyledText {
        guard let action, let word = action.hint, let key = action.keys.first else {
            return StyledText()
        }
        var text = StyledText(key.name, .key)
        text.add(" \(word)  ", .dim)
        return text
    }

    /// A line that is being typed, scrolled so that its cursor is seen.
    mutating func drawInput(_ label: String, _ editor: LineEditor, in area: Rect) {
        fill(area)
        let place = editor.cursor + label.unicodeScalars.count
        let skipped = max(0, place - area.columns + 1)
        draw(StyledText(label, .key) + StyledText(editor.text), in: area, skipping: skipped)
        cursor = Position(row: area.row, column: area.column + place - skipped)
    }
}
