extension UIState {
    /// Carries out a key in the mode that the screen is in.
    mutating func press(_ key: Key) -> [Effect] {
        if key == .control("c"), mode == .normal || isRunning { return interrupt() }
        switch mode {
        case .normal: return pressNormal(key)
        case .commandLine(let line): return press(key, in: line)
        case .prompt(let prompt): return press(key, in: prompt)
        case .help(let top): return press(key, inHelp: top)
        case .quitQuestion: return press(inQuestion: key)
        }
    }

    private mutating func pressNormal(_ key: Key) -> [Effect] {
        message = nil
        if answer != nil, let effects = press(inAnswer: key) { return effects }
        return KeyMap.standard[key]?.run(&self) ?? []
    }

    /// An answer takes the scrolling keys; each other key dismisses it, and does what it does.
    private mutating func press(inAnswer key: Key) -> [Effect]? {
        guard var answer else { return nil }
        let page = max(1, Layout.answerRows(answer.lines.count, in: size))
        let last = max(0, answer.lines.count - page)
        switch key {
        case .up, "k": answer.top = max(0, answer.top - 1)
        case .down, "j": answer.top = min(last, answer.top + 1)
        case .pageUp: answer.top = max(0, answer.top - page)
        case .pageDown, " ": answer.top = min(last, answer.top + page)
        case .home: answer.top = 0
        case .end: answer.top = last
        default:
            self.answer = nil
            return [.escape, .enter, "q"].contains(key) ? [] : nil
        }
        self.answer = answer
        return []
    }

    private mutating func press(_ key: Key, in line: CommandInput) -> [Effect] {
        var line = line
        message = nil
        switch key {
        case .enter: return submit(line.editor.text)
        case .escape, .control("c"), .control("g"): mode = .normal
        case .backspace where line.editor.characters.isEmpty: mode = .normal
        case .up, .control("p"): line.recall(-1, in: history)
        case .down, .control("n"): line.recall(1, in: history)
        case .tab:
            let words = line.complete(completions)
            if !words.isEmpty { say(words.joined(separator: " ")) }
        case .control("l"): return [.redraw]
        case .control("z"): return [.suspend]
        default: _ = line.editor.edit(key)
        }
        if case .commandLine = mode { mode = .commandLine(line) }
        return []
    }

    /// Hands a typed line on; `quit` asks as the key does.
    private mutating func submit(_ line: String) -> [Effect] {
        mode = .normal
        let words = line.split(separator: " ")
        guard let first = words.first else { return [] }
        if history.last != line { history.append(line) }
        if history.count > 1000 { history.removeFirst() }
        answer = nil
        return ["q", "quit", "exit"].contains(first) ? askToQuit() : execute(line)
    }

    private mutating func press(_ key: Key, inHelp top: Int) -> [Effect] {
        let page = HelpView.pageRows(self)
        let last = max(0, HelpView.rows(self).count - page)
        switch key {
        case .up, "k": mode = .help(top: max(0, top - 1))
        case .down, "j": mode = .help(top: min(last, top + 1))
        case .pageUp: mode = .help(top: max(0, top - page))
        case .pageDown, " ": mode = .help(top: min(last, top + page))
        case .home: mode = .help(top: 0)
        case .end: mode = .help(top: last)
        case .control("l"): return [.redraw]
        case .control("z"): return [.suspend]
        default: mode = .normal
        }
        return []
    }

    private mutating func press(inQuestion key: Key) -> [Effect] {
        switch key {
        case "y", "Y", "q", .enter: return [.quit]
        case .control("l"): return [.redraw]
        case .control("z"): return [.suspend]
        default: mode = .normal
        }
        return []
    }

    /// Puts pasted text on the line that is being typed; elsewhere it does nothing but say so.
    mutating func paste(_ text: String) {
        switch mode {
        case .commandLine(var line):
            line.editor.insert(text.unicodeScalars)
            mode = .commandLine(line)
        case .prompt(var prompt):
            prompt.editor.insert(text.unicodeScalars)
            mode = .prompt(prompt)
        default: complain("pasted text is not taken for keys: press : first")
        }
    }
}
