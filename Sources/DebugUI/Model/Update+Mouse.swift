extension UIState {
    /// Gives the keys to the pane under the mouse; on the rest of the screen it does nothing.
    mutating func click(_ position: Position) {
        guard mode == .normal, answer == nil, let pane = pane(at: position) else { return }
        _ = focus(on: pane)
    }

    /// Scrolls what lies on top under the mouse, and leaves the keys where they are.
    mutating func turnWheel(at position: Position, rows: Int) {
        guard mode == .normal, answer == nil else {
            for _ in 0..<abs(rows) { scrollCover(rows > 0 ? .down : .up) }
            return
        }
        guard let pane = pane(at: position) else { return }
        let owner = focus
        focus = pane
        _ = move(.rows(rows))
        focus = owner
    }

    /// Scrolls what has scrolling keys; a line that is typed and a question stay as they are.
    private mutating func scrollCover(_ key: Key) {
        switch mode {
        case .commandLine, .prompt, .quitQuestion: break
        default: _ = press(key)
        }
    }

    private func pane(at position: Position) -> Pane? {
        let layout = Layout(self)
        return Pane.allCases.first { pane in
            layout[pane].contains(position) || layout.title(pane)?.contains(position) == true
        }
    }
}
