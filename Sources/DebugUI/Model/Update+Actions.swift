import VCPUControl

extension UIState {
    /// Starts a command, unless one is running.
    mutating func execute(_ line: String) -> [Effect] {
        guard !isRunning else {
            complain("the guest is running: Ctrl-C interrupts it")
            return []
        }
        isRunning = true
        run = RunSamples()
        message = nil
        return [.command(line)]
    }

    mutating func interrupt() -> [Effect] {
        guard isRunning else {
            say("nothing is running; q quits")
            return []
        }
        message = nil
        return [.interrupt]
    }

    /// Sets a breakpoint at the cursor's line, or clears the one that is there.
    mutating func toggleBreakpoint() -> [Effect] {
        guard let line = CodeView.cursorLine(self) else {
            complain("no instruction to break at: the code is not visible")
            return []
        }
        let address = line.address.rawValue.hex
        return execute((line.hasBreakpoint ? "clear " : "break ") + address)
    }

    mutating func switchSetup() -> [Effect] {
        guard let snapshot else { return [] }
        var next = snapshot.setup.next
        while !snapshot.setups.contains(next), next != snapshot.setup { next = next.next }
        return execute("ghcb " + next.rawValue)
    }

    /// Selects the vCPU a number of places further on, in a circle.
    mutating func selectVCPU(_ step: Int) -> [Effect] {
        guard let snapshot, snapshot.vcpus.count > 1 else {
            say("this guest has one vCPU")
            return []
        }
        let numbers = snapshot.vcpus.map(\.number)
        let place = numbers.firstIndex(of: snapshot.current) ?? 0
        return execute("vcpu \(numbers[(place + step + numbers.count) % numbers.count])")
    }

    mutating func enter(_ mode: Mode) -> [Effect] {
        self.mode = mode
        return []
    }

    mutating func askToQuit() -> [Effect] {
        guard hasLiveGuest else { return [.quit] }
        return enter(.quitQuestion)
    }

    mutating func focus(on pane: Pane) -> [Effect] {
        focus = pane
        return []
    }

    mutating func toggleZoom() -> [Effect] {
        isZoomed.toggle()
        return []
    }

    /// Goes back to what is shown without any scrolling: RIP, the last exchange, the newest output.
    mutating func dismiss() -> [Effect] {
        (codeCursor, logCursor) = (nil, nil)
        scroll[focus.rawValue] = ScrollPosition()
        return []
    }
}

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
        let area = Layout(self)[focus]
        switch focus {
        case .code: moveInCode(movement, page: area.rows)
        case .log: moveInLog(movement, page: area.rows)
        default: scroll(movement, in: area)
        }
        return []
    }

    private mutating func moveInCode(_ movement: Movement, page: Int) {
        guard let lines = snapshot?.code.value, let row = CodeView.cursorIndex(self) else { return }
        codeCursor = lines[movement.target(from: row, count: lines.count, page: page)].address
    }

    private mutating func moveInLog(_ movement: Movement, page: Int) {
        guard let row = log.index(of: logCursor) else { return }
        let target = movement.target(from: row, count: log.entries.count, page: page)
        logCursor = target == log.entries.count - 1 ? nil : log.entries[target].sequence
    }

    private mutating func scroll(_ movement: Movement, in area: Rect) {
        let content = PaneContent(focus, in: self, width: area.columns)
        let last = max(0, content.count - area.rows)
        let top = movement.target(
            from: content.top(rows: area.rows), count: last + 1,
            page: area.rows)
        let isHome = focus == .console ? top == last : top == 0
        scroll[focus.rawValue].top = isHome ? nil : top
    }
}
