import Testing

@testable import DebugUI
@testable import VCPUControl

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

    /// Completes to words that begin with the last one of the line, whatever its case.
    private func completion(_ words: [String]) -> (String) -> Completion {
        { line in
            let typed = line.reversed().prefix { $0 != " " }.reversed().map { String($0) }.joined()
            return Completion(
                kept: String(line.dropLast(typed.count)),
                words: words.filter { $0.lowercased().hasPrefix(typed.lowercased()) })
        }
    }

    @Test("completion goes as far as it is certain, and further by choice")
    func completion() {
        let words = completion(["console", "continue", "stepi", "port="])
        var line = CommandInput("c")
        line.complete(words)
        #expect(line.editor.text == "con")
        #expect(line.menu?.words == ["console", "continue"])
        var chosen: [String] = []
        for step in [1, 1, 1, -1] {
            line.complete(words, step: step)
            chosen.append(line.editor.text)
        }
        #expect(chosen == ["console", "continue", "console", "continue"])
        let hadMenu = line.closeMenu()
        #expect(hadMenu && line.menu == nil)
        line = CommandInput("help st")
        line.complete(words)
        #expect(line.editor.text == "help stepi " && line.menu == nil)
        line = CommandInput("vg po")
        line.complete(words)
        #expect(line.editor.text == "vg port=")
        line = CommandInput("zz")
        line.complete(words)
        #expect(line.editor.text == "zz" && line.menu == nil)
    }

    @Test("what was typed is never shortened, and the middle of a line is left alone")
    func careful() {
        var line = CommandInput("vg cpuid")
        line.complete(completion(["CPUID", "CPUID_REQ"]))
        #expect(line.editor.text == "vg CPUID")
        line = CommandInput("ab")
        line.complete(completion(["abc", "ABD"]))
        #expect(line.editor.text == "ab" && line.menu?.words == ["abc", "ABD"])
        line = CommandInput("st")
        _ = line.editor.edit(.left)
        line.complete(completion(["stepi"]))
        #expect(line.editor.text == "st")
    }

    private func search(_ keys: [Key], in history: [String]) -> CommandInput {
        var line = CommandInput("draft")
        line.beginSearch(in: history)
        for key in keys { _ = line.press(inSearch: key, history) }
        return line
    }

    @Test(
        "Ctrl-R looks back for lines that have what is typed",
        arguments: [
            (["c"], "vg cpuid"), (["c", "o"], "continue"), (["i", .control("r")], "stepi"),
            (["i", .control("r"), .control("s")], "vg cpuid"),
            (["c", "o", .backspace], "vg cpuid"),
            (["i", .control("r"), .control("r")], "continue"), (["c", .escape], "draft"),
            (["c", "o", .end], "continue"), (["z"], "draft"),
        ] as [([Key], String)])
    func search(keys: [Key], expected: String) {
        let history = ["info ghcb", "continue", "stepi", "vg cpuid"]
        #expect(search(keys, in: history).editor.text == expected)
    }

    @Test("a search that finds nothing says so, and goes on when it is shortened")
    func failedSearch() {
        let line = search(["s", "z"], in: ["stepi"])
        #expect(line.search != nil && line.search?.match == nil)
        #expect(search(["s", "z", .backspace], in: ["stepi"]).search?.match == 0)
        #expect(search(["s", .left], in: ["stepi"]).search == nil)
        #expect(search(["s", .control("r")], in: []).search?.match == nil)
    }
}
