enum QuitView {
    static let question = "The guest is alive. Quit and end it? (y/n) "
}

extension Frame {
    mutating func drawQuestion(_ state: UIState, in area: Rect) {
        fill(area)
        draw(QuitView.question, .strong, in: area)
        cursor = Position(
            row: area.row, column: min(QuitView.question.utf8.count, area.columns - 1))
    }
}
