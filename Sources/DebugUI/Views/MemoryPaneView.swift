import VCPUControl

/// Memory as the vCPU sees it: `>` marks the row of the expression, `*` a byte that has changed.
enum MemoryPaneView {
    static func bytesPerRow(width: Int) -> Int { width >= 75 ? 16 : 8 }

    static func content(_ state: UIState, width: Int) -> PaneContent {
        guard let snapshot = state.snapshot, let memory = snapshot.memory,
            let request = snapshot.request.memory
        else { return PaneContent([]) }
        var title = title(request, memory, state)
        guard let last = memory.rows.last else {
            return PaneContent(title: title, reason(request, memory, width))
        }
        let digits = max(6, last.address.rawValue.hexDigits(1).utf8.count)
        // Without room beside the bytes, the title says how the pages are used.
        if width < digits + 4 * (request.bytesPerRow + 1) + 2 { title += ", " + uses(memory) }
        let target = try? memory.target.get().rawValue
        return PaneContent(title: title, count: memory.rows.count) { index in
            let row = memory.rows[index]
            let isFirst = index == 0 || memory.rows[index - 1].bytes.value != nil
            let size = UInt64(request.bytesPerRow)
            let isTarget = target.map { $0 &- row.address.rawValue < size } ?? false
            var line = StyledText(isTarget ? ">" : " ", .current)
            line.add(row.address.rawValue.hexDigits(digits) + " ", isTarget ? .current : .dim)
            switch row.bytes {
            case .hidden(let reason):
                line.add(" \(reason.placeholder)", .hidden)
                let text = " \(reason.explanation)"
                let room = width - line.width - text.utf8.count - row.label.utf8.count
                if isFirst, room > 0 { line.add(text, .dim) }
            case .known(let bytes, _):
                let changes = state.changes.changes(
                    of: bytes, at: row.address, vcpu: snapshot.current)
                line = line + dump(bytes, changes)
            }
            return line + label(of: row, room: width - line.width)
        }
    }

    /// Hex, and the same as text.
    private static func dump(_ bytes: [UInt8], _ changes: [Bool]) -> StyledText {
        var line = StyledText()
        for (byte, isChanged) in zip(bytes, changes) {
            line.add((isChanged ? "*" : " ") + byte.hexDigits(2), isChanged ? .changed : .normal)
        }
        line.add("  " + String(bytes.map(GuestText.dumped)))
        return line
    }

    /// How the page is used, at the right edge; its first letters where there is little room.
    private static func label(of row: Snapshot.Memory.Row, room: Int) -> StyledText {
        guard room > 1 else { return StyledText() }
        return StyledText(String(row.label.prefix(room - 1)).rightAligned(room), .dim)
    }

    private static func uses(_ memory: Snapshot.Memory) -> String {
        var uses: [String] = []
        for row in memory.rows where !uses.contains(row.use.rawValue) { uses += [row.use.rawValue] }
        return uses.joined(separator: ", ")
    }

    private static func title(
        _ request: MemoryRequest, _ memory: Snapshot.Memory, _ state: UIState
    ) -> String {
        let place =
            switch memory.target {
            case .failure: request.expression
            case .success(let target) where target.rawValue.hex == request.expression:
                request.expression
            case .success(let target): "\(request.expression) = \(target.rawValue.hex)"
            }
        let isAway = request.start != nil ? ", scrolled" : ""
        return (state.isRunning ? "last stop, " : "") + place + isAway
    }

    /// Why there is nothing to see.
    private static func reason(
        _ request: MemoryRequest, _ memory: Snapshot.Memory, _ width: Int
    ) -> [StyledText] {
        guard case .failure(let failure) = memory.target else { return [] }
        return "\(request.expression): \(failure.message); a takes another address".wrapped(width)
            .map { StyledText($0, .hidden) }
    }
}

extension Snapshot.Memory.Row {
    /// How the page is used, in a word; none where the row says so itself.
    fileprivate var label: String { use == .unmapped ? "" : use.rawValue }
}
