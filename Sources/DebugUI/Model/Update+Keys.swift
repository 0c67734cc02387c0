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
        case .comparison(let page): return press(key, in: page)
        }
    }

    private mutating func pressNormal(_ key: Key) -> [Effect] {
        let before = message
        message = nil
        if answer != nil, let effects = press(inAnswer: key) { return effects }
        let effects = keyMap[key]?.run(&self) ?? []
        // What was wrong with the last line helps to write the next one.
        if case .commandLine = mode, before?.isError ?? false { message = before }
        return effects
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
        case .left, "h": answer.column = max(0, answer.column - 8)
        case .right, "l": answer.column = min(answer.column + 8, 4096)
        default:
            self.answer = nil
            return [.escape, .enter, "q"].contains(key) ? [] : nil
        }
        self.answer = answer
        return []
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
}
