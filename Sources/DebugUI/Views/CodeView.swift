import VCPUControl

/// The disassembly around RIP or another place, with labels: `>` is the instruction at RIP, `B` a
/// breakpoint.
enum CodeView {
    private enum Row {
        case label(String)
        case instruction(Int)
    }

    static func content(_ state: UIState, width: Int) -> PaneContent {
        guard let snapshot = state.snapshot else { return PaneContent([]) }
        switch snapshot.code {
        case .hidden(let reason):
            let text = "  \(reason.placeholder): \(reason.explanation)"
            return PaneContent([StyledText(text, .hidden)])
        case .known(let lines, _):
            return content(lines, of: snapshot, in: state, width)
        }
    }

    private static func content(
        _ lines: [Snapshot.Line], of snapshot: Snapshot, in state: UIState, _ width: Int
    ) -> PaneContent {
        let rows = rows(lines)
        let digits = max(6, lines.last?.address.rawValue.hexDigits(1).utf8.count ?? 0)
        let rip = rip(of: snapshot)
        let cursor = cursorIndex(state)
        let place = state.codePlace == nil ? lines.first { $0.address == rip } : cursorLine(state)
        let title = state.isRunning ? "last stop" : place?.symbol ?? ""
        let row = cursor.flatMap { self.row(of: $0, in: rows) } ?? 0
        var content = PaneContent(title: title, count: rows.count, cursor: row) { index in
            switch rows[index] {
            case .label(let name): StyledText("   \(name):", .symbol)
            case .instruction(let index):
                line(lines[index], isCurrent: lines[index].address == rip, digits, width)
            }
        }
        content.isEndless = true
        content.keptTop = lines.firstIndex { $0.address == state.codeTop }
            .flatMap { self.row(of: $0, in: rows) }
            .map { isLabel(in: rows, at: $0 - 1) ? $0 - 1 : $0 }
        return content
    }

    private static func row(of line: Int, in rows: [Row]) -> Int? {
        rows.firstIndex { if case .instruction(line) = $0 { true } else { false } }
    }

    /// A label is never parted from its instruction.
    private static func isLabel(in rows: [Row], at index: Int) -> Bool {
        guard rows.indices.contains(index), case .label = rows[index] else { return false }
        return true
    }

    /// The instructions, each that starts a symbol behind a label.
    private static func rows(_ lines: [Snapshot.Line]) -> [Row] {
        lines.indices.flatMap { index -> [Row] in
            guard let symbol = lines[index].symbol, !symbol.contains("+0x") else {
                return [.instruction(index)]
            }
            return [.label(symbol), .instruction(index)]
        }
    }

    private static func line(
        _ line: Snapshot.Line, isCurrent: Bool, _ digits: Int, _ width: Int
    ) -> StyledText {
        var text = StyledText(isCurrent ? ">" : " ", .current)
        text.add(line.hasBreakpoint ? "B" : " ", .breakpoint)
        text.add(" " + line.address.rawValue.hexDigits(digits) + "  ", isCurrent ? .current : .dim)
        if width >= 70 {
            let bytes = line.bytes.prefix(15).map { $0.hexDigits(2) }.joined(separator: " ")
            text.add(bytes.padded(24) + " ", .dim)
        }
        text.add(line.text, isCurrent ? .current : .normal)
        return text
    }

    /// The RIP that the code was fetched for, which is the last stop's while the guest runs; `nil`
    /// where it is hidden.
    private static func rip(of snapshot: Snapshot) -> GuestVirtualAddress? {
        snapshot.registers.value.map { GuestVirtualAddress($0[.rip]) }
    }

    /// The line that the cursor is on: where it was put, else the one at RIP, else the first.
    static func cursorIndex(_ state: UIState) -> Int? {
        guard let snapshot = state.snapshot, let lines = snapshot.code.value, !lines.isEmpty else {
            return nil
        }
        guard let wanted = state.codeCursor ?? rip(of: snapshot) else { return 0 }
        return lines.firstIndex { $0.address == wanted }
            ?? lines.lastIndex { $0.address < wanted } ?? 0
    }

    /// The instruction in a row of the pane, or the one that a label in it stands above.
    static func address(ofRow row: Int, in state: UIState) -> GuestVirtualAddress? {
        guard let lines = state.snapshot?.code.value else { return nil }
        for case .instruction(let index) in rows(lines).dropFirst(row) {
            return lines[index].address
        }
        return nil
    }

    static func cursorLine(_ state: UIState) -> Snapshot.Line? {
        guard let lines = state.snapshot?.code.value else { return nil }
        return cursorIndex(state).map { lines[$0] }
    }
}
