import VCPUControl

// The lines that are asked for at the bottom of the screen, and what becomes of them.
extension UIState {
    mutating func press(_ key: Key, in prompt: Prompt) -> [Effect] {
        var prompt = prompt
        message = nil
        switch key {
        case .enter:
            mode = .normal
            return take(prompt)
        case .escape, .control("c"), .control("g"): mode = .normal
        case .backspace where prompt.editor.characters.isEmpty: mode = .normal
        case .control("l"): return [.redraw]
        case .control("z"): return [.suspend]
        default:
            _ = prompt.editor.edit(key)
            mode = .prompt(prompt)
        }
        return []
    }

    private mutating func take(_ prompt: Prompt) -> [Effect] {
        let text = prompt.editor.text
        switch prompt.kind {
        case .search:
            search = TextPattern(text) ?? search
            return find(1)
        case .filter: filter(text)
        case .address where text.allSatisfy { $0 == " " }: return dismiss()
        case .address: return [.locate(text)]
        }
        return []
    }
}

// Searching: in the text of the pane that has the keys, row by row, in a circle.
extension UIState {
    mutating func find(_ step: Int) -> [Effect] {
        guard let search else {
            say("nothing to look for yet: / asks for it")
            return []
        }
        let area = Layout(self)[focus]
        let content = PaneContent(focus, in: self, width: area.columns)
        let hits = (0..<content.count).filter { search.isFound(in: content.line($0).text) }
        guard let first = hits.first, let last = hits.last else {
            complain("\(search.text) is not in \(Self.searched(focus))")
            return []
        }
        let top = content.top(rows: area.rows)
        let start = content.cursor ?? scroll[focus.rawValue].hit ?? (step > 0 ? top - 1 : top)
        let next = step > 0 ? hits.first { $0 > start } : hits.last { $0 < start }
        let row = next ?? (step > 0 ? first : last)
        choose(row, in: area)
        uncover(search, in: content.line(row), width: area.columns)
        let place = (hits.firstIndex(of: row) ?? 0) + 1
        let turn = step > 0 ? ", from the top again" : ", from the bottom again"
        say("/\(search.text): \(place) of \(hits.count)\(next == nil ? turn : "")")
        return []
    }

    /// What a search goes through.
    private static func searched(_ pane: Pane) -> String {
        switch pane {
        case .code, .memory: "what the pane \(pane.title) shows; a goes to an address"
        default: "the pane \(pane.title)"
        }
    }

    /// Scrolls sideways where the place found is out of sight.
    private mutating func uncover(_ search: TextPattern, in line: StyledText, width: Int) {
        guard let offset = search.offset(in: Array(line.text.utf8)) else { return }
        let column = scroll[focus.rawValue].column
        let end = offset + search.text.utf8.count
        guard offset < column || end > column + width else { return }
        scroll[focus.rawValue].column = end <= width ? 0 : offset - width / 3
    }
}

// Filters: of the panes that grow with what the guest does.
extension UIState {
    /// The filter of the pane that has the keys, as it was typed; `nil`: it takes none.
    private var filterText: String? {
        switch focus {
        case .log: log.filter?.text ?? ""
        case .findings: findings.filter?.text ?? ""
        case .console: console.filter?.text ?? ""
        case .registers, .code, .ghcb, .memory, .vcpus: nil
        }
    }

    mutating func askForFilter() -> [Effect] {
        guard let filterText else {
            say("the pane \(focus.title) takes no filter: VMGEXITs, console and findings do")
            return []
        }
        return enter(.prompt(Prompt(.filter, filterText)))
    }

    private mutating func filter(_ text: String) {
        switch focus {
        case .findings: findings.filter = TextPattern(text)
        case .console: console.filter = TextPattern(text)
        default:
            do throws(CommandFailure) {
                log.filter = text.isEmpty ? nil : try ExitFilter.parse(text)
            } catch { complain(error.message) }
        }
    }

    /// Takes the filter of the pane away that has the keys.
    ///
    /// - Returns: whether there was one.
    mutating func dropFilter() -> Bool {
        guard let filterText, !filterText.isEmpty else { return false }
        filter("")
        return true
    }
}
