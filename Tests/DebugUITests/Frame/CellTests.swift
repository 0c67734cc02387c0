import Testing

@testable import DebugUI

@Suite("Cell")
struct CellTests {
    @Test("an empty cell is a blank")
    func emptyCell() {
        #expect(Cell().character == " ")
        #expect(Cell().style == .normal)
    }

    @Test("what is wide, combining, or a control character becomes ?")
    func narrow() {
        let bad: [Unicode.Scalar] = [
            "\0", "\u{1b}", "\n", "\u{7f}", "\u{85}", "\u{9b}", "\u{ad}", "\u{301}", "\u{200b}",
            "\u{202e}", "\u{4e2d}", "\u{ff21}", "\u{1f600}", "\u{feff}",
        ]
        for character in bad { #expect(Cell(character).character == "?", "\(character.value)") }
        for character: Unicode.Scalar in ["a", "~", "é", "─", "┬", "…", "↓", "·"] {
            #expect(Cell(character).character == character)
        }
    }
}
