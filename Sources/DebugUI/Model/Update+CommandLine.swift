import VCPUControl

// The keys of the command line.
extension UIState {
    mutating func press(_ key: Key, in line: CommandInput) -> [Effect] {
        var line = line
        if line.press(inSearch: key, history) { return edit(line) }
        switch key {
        case .tab: line.complete(complete)
        case .backTab: line.complete(complete, step: -1)
        case .escape where line.closeMenu(): break
        case .enter: return submit(line.editor.text)
        case .escape, .control("c"), .control("g"): return leaveCommandLine()
        case .backspace where line.editor.characters.isEmpty: return leaveCommandLine()
        case .control("l"): return [.redraw]
        case .control("z"): return [.suspend]
        case .control("r"): line.beginSearch(in: history)
        default:
            _ = line.closeMenu()
            edit(key, &line)
        }
        return edit(line)
    }

    private func edit(_ key: Key, _ line: inout CommandInput) {
        switch key {
        case .up, .control("p"): line.recall(-1, in: history)
        case .down, .control("n"): line.recall(1, in: history)
        default: _ = line.editor.edit(key)
        }
    }

    private func complete(_ line: String) -> Completion {
        CommandTable.completion(of: line, in: completionContext)
    }

    private mutating func edit(_ line: CommandInput) -> [Effect] {
        mode = .commandLine(line)
        return []
    }

    private mutating func leaveCommandLine() -> [Effect] {
        (mode, message) = (.normal, nil)
        return []
    }

    /// Lines that are kept at most.
    package static let historyLimit = 1000

    /// Hands a typed line on; `quit` asks as the key does.
    private mutating func submit(_ line: String) -> [Effect] {
        (mode, message) = (.normal, nil)
        guard let word = line.split(separator: " ").first else { return [] }
        answer = nil
        let isQuit = (try? CommandTable.find(String(word)))?.name == .quit
        let effects = isQuit ? askToQuit() : execute(line)
        return effects + remember(line)
    }

    private mutating func remember(_ line: String) -> [Effect] {
        guard history.last != line else { return [] }
        history.append(line)
        if history.count > Self.historyLimit { history.removeFirst() }
        return [.remember(line)]
    }

    /// Puts pasted text on the line that is being typed; elsewhere it does nothing but say so.
    mutating func paste(_ text: String) {
        switch mode {
        case .commandLine(var line):
            _ = line.closeMenu()
            line.editor.insert(text.unicodeScalars)
            mode = .commandLine(line)
        case .prompt(var prompt):
            prompt.editor.insert(text.unicodeScalars)
            mode = .prompt(prompt)
        default: complain("pasted text is not taken for keys: press : first")
        }
    }
}

// The keys of the comparison.
extension UIState {
    mutating func press(_ key: Key, in page: ComparisonPage) -> [Effect] {
        var page = page
        let rows = Layout.comparisonRows(page, in: size)
        message = nil
        switch key {
        case "n", .tab: if !page.go(1, page: rows) { say("no difference further down") }
        case "N", "p", .backTab: if !page.go(-1, page: rows) { say("no difference further up") }
        case .up, "k": page.move(.rows(-1), page: rows)
        case .down, "j": page.move(.rows(1), page: rows)
        case .left, "h": page.move(.columns(-8), page: rows)
        case .right, "l": page.move(.columns(8), page: rows)
        case .pageUp: page.move(.pages(-1), page: rows)
        case .pageDown, " ": page.move(.pages(1), page: rows)
        case .home, "g": page.move(.start, page: rows)
        case .end, "G": page.move(.end, page: rows)
        case .control("l"): return [.redraw]
        case .control("z"): return [.suspend]
        case .escape, .enter, "q", "d", .control("c"): return enter(.normal)
        default: break
        }
        mode = .comparison(page)
        return []
    }
}
