extension Frame {
    /// The last row: the keys that matter, as many as fit, from the table of actions.
    mutating func drawKeys(_ state: UIState, in area: Rect) {
        guard !state.isRunning else {
            return drawRun(state, in: area)
        }
        var line = StyledText()
        let help = Self.hint(state.keyMap[named: "help"])
        for action in state.keyMap.actions where action.name != "help" {
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

    /// The command line, scrolled so that its cursor is seen.
    mutating func drawCommandInput(_ line: CommandInput, in area: Rect) {
        let label = Self.prompt(line)
        // In a search it is the text looked for that is typed.
        let cursor = line.search == nil ? label.width + line.editor.cursor : label.width - 3
        drawInput(label + StyledText(line.editor.text), cursor: cursor, in: area)
    }

    /// What is asked for in the place of a command line.
    mutating func drawPrompt(_ prompt: Prompt, in area: Rect) {
        let label = StyledText(prompt.kind.label, .key)
        let text = label + StyledText(prompt.editor.text)
        drawInput(text, cursor: label.width + prompt.editor.cursor, in: area)
    }

    private mutating func drawInput(_ text: StyledText, cursor column: Int, in area: Rect) {
        fill(area)
        let skipped = max(0, column - area.columns + 1)
        draw(text, in: area, skipping: skipped)
        cursor = Position(row: area.row, column: area.column + column - skipped)
    }

    private static func prompt(_ line: CommandInput) -> StyledText {
        guard let search = line.search else { return StyledText(":", .key) }
        let isFound = search.match != nil || search.text.isEmpty
        return StyledText("(\(isFound ? "search" : "not found") `", isFound ? .dim : .error)
            + StyledText(search.text, .strong) + StyledText("') ", .dim)
    }
}
