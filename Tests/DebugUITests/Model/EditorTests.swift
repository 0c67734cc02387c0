import Testing

@testable import DebugUI

@Suite("The command line")
struct EditorTests {
    @Test(
        "editing keys",
        arguments: [
            ([Key.backspace], "x/4gx $rs", 9), ([.left, .left, .delete], "x/4gx $rp", 8),
            ([.home, "a"], "ax/4gx $rsp", 1), ([.home, .right, .control("u")], "/4gx $rsp", 0),
            ([.control("w")], "x/4gx ", 6), ([.control("w"), .control("w")], "", 0),
            ([.home, .left], "x/4gx $rsp", 0), ([.end, .right], "x/4gx $rsp", 10),
            ([.control("a"), .control("k")], "", 0),
            ([.control("a"), .control("e")], "x/4gx $rsp", 10),
            ([.home, .backspace], "x/4gx $rsp", 0), ([.delete], "x/4gx $rsp", 10),
        ] as [([Key], String, Int)])
    func keys(keys: [Key], text: String, cursor: Int) {
        var editor = LineEditor("x/4gx $rsp")
        for key in keys {
            let isTaken = editor.edit(key)
            #expect(isTaken)
        }
        #expect(editor.text == text)
        #expect(editor.cursor == cursor)
    }

    @Test("inserted control characters become blanks")
    func control() {
        var editor = LineEditor("")
        editor.insert("a\nb\u{1b}\u{9b}".unicodeScalars)
        #expect(editor.text == "a b  ")
    }

    @Test("up and down walk through the lines that begin like what was written")
    func history() {
        let history = ["stepi", "x/4gx $rsp", "stepi 5", "info ghcb"]
        var line = CommandInput("s")
        line.recall(-1, in: history)
        #expect(line.editor.text == "stepi 5")
        line.recall(-1, in: history)
        #expect(line.editor.text == "stepi")
        line.recall(-1, in: history)
        #expect(line.editor.text == "stepi")
        line.recall(1, in: history)
        line.recall(1, in: history)
        #expect(line.editor.text == "s")
    }

    private func complete(
        _ line: inout CommandInput, _ candidates: (String) -> [String]
    ) -> [String] {
        line.complete(candidates)
    }

    @Test("completion goes as far as it is certain")
    func completion() {
        let words = ["continue", "console", "stepi"]
        let candidates = { (line: String) in
            words.filter { $0.hasPrefix(line.split(separator: " ").last ?? "") }
        }
        var line = CommandInput("c")
        #expect(complete(&line, candidates) == ["continue", "console"])
        #expect(line.editor.text == "con")
        line = CommandInput("help st")
        #expect(complete(&line, candidates) == [])
        #expect(line.editor.text == "help stepi ")
        line = CommandInput("zz")
        #expect(complete(&line, candidates) == [])
        #expect(line.editor.text == "zz")
    }
}
