import VCPUControl

/// A movement in the pane that has the keys.
enum Movement: Sendable {
    case rows(Int)
    case pages(Int)
    case columns(Int)
    case start, end

    /// Where it leads from a row, among `count` rows.
    func target(from row: Int, count: Int, page: Int) -> Int {
        let target =
            switch self {
            case .rows(let step): row + step
            case .pages(let step): row + step * max(1, page - 1)
            case .columns: row
            case .start: 0
            case .end: count - 1
            }
        return min(max(0, target), max(0, count - 1))
    }
}

extension UIState {
    mutating func move(_ movement: Movement) -> [Effect] {
        if case .columns(let step) = movement {
            scroll[focus.rawValue].column = min(max(0, scroll[focus.rawValue].column + step), 4096)
            return []
        }
        scroll[focus.rawValue].hit = nil
        let area = Layout(self)[focus]
        switch focus {
        case .code: moveInCode(movement, page: area.rows)
        case .memory: moveInMemory(movement, page: area.rows)
        case .log, .findings, .vcpus: moveCursor(movement, in: area)
        case .registers, .ghcb, .console: scroll(movement, in: area)
        }
        return []
    }

    /// Moves the cursor, and fetches code where it comes near the end of what is there.
    private mutating func moveInCode(_ movement: Movement, page: Int) {
        guard let lines = snapshot?.code.value, let row = CodeView.cursorIndex(self) else { return }
        let target = movement.target(from: row, count: lines.count, page: page)
        codeCursor = lines[target].address
        if target < page || target + page >= lines.count { codePlace = codeCursor }
    }

    /// Moves the window; guest memory has no first and no last row.
    private mutating func moveInMemory(_ movement: Movement, page: Int) {
        guard let rows = snapshot?.memory?.rows, let first = memory.start ?? rows.first?.address,
            let size = asked?.memory?.bytesPerRow ?? snapshot?.request.memory?.bytesPerRow
        else { return }
        let step: Int
        switch movement {
        case .rows(let count): step = count * size
        case .pages(let count): step = count * max(1, page - 1) * size
        case .columns: return
        case .start: return memory.start = nil
        case .end: return say("memory has no end; a goes to an address")
        }
        memory.start = GuestVirtualAddress(first.rawValue &+ UInt64(bitPattern: Int64(step)))
    }

    private mutating func moveCursor(_ movement: Movement, in area: Rect) {
        let content = PaneContent(focus, in: self, width: area.columns)
        guard let row = content.cursor else { return }
        choose(movement.target(from: row, count: content.count, page: area.rows), in: area)
    }

    private mutating func scroll(_ movement: Movement, in area: Rect) {
        let content = PaneContent(focus, in: self, width: area.columns)
        let last = max(0, content.count - area.rows)
        let top = movement.target(
            from: content.top(rows: area.rows), count: last + 1, page: area.rows)
        show(top: top, of: last)
    }

    private mutating func show(top: Int, of last: Int) {
        let isHome = focus == .console ? top == last : top == 0
        scroll[focus.rawValue].top = isHome ? nil : top
    }

    /// Puts the cursor of the pane that has the keys on a row; where there is none, shows the row.
    mutating func choose(_ row: Int, in area: Rect) {
        switch focus {
        case .log: log.choose(row)
        case .findings: findings.choose(row)
        case .vcpus: vcpuCursor = snapshot?.vcpus[row].number
        case .code: codeCursor = CodeView.address(ofRow: row, in: self)
        case .memory: scroll[focus.rawValue].hit = row
        case .registers, .ghcb, .console:
            let content = PaneContent(focus, in: self, width: area.columns)
            let top = content.top(rows: area.rows)
            scroll[focus.rawValue].hit = row
            guard row < top || row >= top + area.rows else { return }
            let last = max(0, content.count - area.rows)
            show(top: min(max(0, row - area.rows / 3), last), of: last)
        }
    }
}
