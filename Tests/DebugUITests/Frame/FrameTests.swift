import Testing

@testable import DebugUI

@Suite("Frame and FrameDiff")
struct FrameTests {
    private func frame(_ lines: String..., columns: Int = 6) -> Frame {
        var frame = Frame(Size(columns: columns, rows: lines.count))
        for (row, line) in lines.enumerated() { frame.draw(line, in: Rect(frame.size).line(row)) }
        return frame
    }

    @Test("drawing stays in its rectangle and on the screen")
    func clipping() {
        var frame = frame("......", "......")
        frame.draw("abcdef", in: Rect(row: 0, column: 2, rows: 1, columns: 2))
        frame.draw("xyz", in: Rect(row: 1, column: 5, rows: 1, columns: 9))
        frame.draw("no", in: Rect(row: 7, column: -3, rows: 1, columns: 9))
        frame.draw("no", in: Rect(row: 0, column: 0, rows: 0, columns: 9))
        frame.fill(Rect(row: -1, column: 0, rows: 1, columns: 9), "#")
        #expect(frame.text == "..ab..\n.....x\n")
    }

    @Test("a scrolled line begins further on, and a mark says that it goes on")
    func scrolling() {
        var frame = frame("")
        let area = Rect(frame.size)
        frame.draw(StyledText("0123456789"), in: area, skipping: 2, mark: ">")
        #expect(frame.text == "23456>\n")
        frame.draw(StyledText("012345"), in: area, mark: ">")
        #expect(frame.text == "012345\n")
    }

    @Test("equal frames differ in nothing")
    func noDifference() {
        #expect(FrameDiff(from: frame("abc"), to: frame("abc")).isEmpty)
    }

    @Test("a difference has exactly the changed cells, in runs of one style")
    func minimality() {
        let old = frame("abcdef", "ghijkl")
        var new = frame("abXYeZ", "ghijkl")
        new.restyle(Rect(row: 1, column: 1, rows: 1, columns: 2), .changed)
        new.restyle(Rect(row: 1, column: 2, rows: 1, columns: 1), .error)
        #expect(
            FrameDiff(from: old, to: new).runs == [
                .init(start: Position(row: 0, column: 2), text: "XY", style: .normal),
                .init(start: Position(row: 0, column: 5), text: "Z", style: .normal),
                .init(start: Position(row: 1, column: 1), text: "h", style: .changed),
                .init(start: Position(row: 1, column: 2), text: "i", style: .error),
            ])
    }

    @Test("a run does not go on into the next row")
    func rows() {
        let runs = FrameDiff(from: frame("aa", "aa", columns: 2), to: frame("bb", "bb", columns: 2))
        #expect(runs.runs.map(\.text) == ["bb", "bb"])
    }

    @Test("without an old frame of the same size everything is written")
    func everything() {
        for old in [nil, frame("a", "b", columns: 3)] {
            let diff = FrameDiff(from: old, to: frame("abc", columns: 3))
            #expect(diff.runs.map(\.text) == ["abc"])
            #expect(diff.isCursorMoved)
        }
    }

    @Test("applying a difference to the old frame gives the new one")
    func application() {
        let states = [Story.told(), Story.told(then: [.key("?")]), Story.told(then: [.key("z")])]
        let frames = states.map { render($0, $0.size) }
        for (old, new) in zip(frames, frames.dropFirst()) {
            var result = old
            for run in FrameDiff(from: old, to: new).runs {
                let area = Rect(row: run.start.row, column: run.start.column, rows: 1, columns: 80)
                result.draw(run.text, run.style, in: area)
            }
            let isEqual = result.cells == new.cells
            #expect(isEqual)
        }
    }

    @Test("a moved cursor is a difference")
    func cursor() {
        var new = frame("abc")
        new.cursor = Position(row: 0, column: 1)
        let diff = FrameDiff(from: frame("abc"), to: new)
        #expect(diff.runs.isEmpty)
        #expect(!diff.isEmpty)
    }

    @Test("text is broken at blanks, and a long word where it must be")
    func wrapping() {
        #expect("one two three".wrapped(7) == ["one two", "three"])
        #expect("abcdefgh i".wrapped(3) == ["abc", "def", "gh", "i"])
        #expect("".wrapped(5) == [])
        #expect("abc".wrapped(0) == [])
        #expect("abcdef".padded(4) == "abc~")
    }
}
