import VCPUControl

// What the screen needs to see of the guest besides the place where it stands.
extension UIState {
    /// What the panes that are shown need.
    var request: SnapshotRequest {
        let area = Layout(self)[.memory]
        guard area.rows > 0 else { return SnapshotRequest(code: codePlace) }
        let memory = MemoryRequest(
            memory.expression, start: memory.start,
            bytesPerRow: MemoryPaneView.bytesPerRow(width: area.columns), rows: area.rows)
        return SnapshotRequest(code: codePlace, memory: memory)
    }

    /// Asks for what is needed, unless that is there or on its way.
    mutating func look() -> [Effect] {
        let request = request
        guard !isRunning, let snapshot, request != asked ?? snapshot.request else { return [] }
        asked = request
        return [.look(request)]
    }

    /// Notes where the code pane begins.
    mutating func keepCode() {
        let area = Layout(self)[.code]
        guard area.rows > 0 else { return }
        let content = CodeView.content(self, width: area.columns)
        codeTop = CodeView.address(ofRow: content.top(rows: area.rows), in: self)
    }

    mutating func askForAddress() -> [Effect] {
        guard !isRunning else {
            complain("the guest is running: Ctrl-C interrupts it")
            return []
        }
        if focus != .code { _ = focus(on: .memory) }
        return enter(.prompt(Prompt(.address)))
    }

    /// Shows the place that was asked for.
    mutating func go(to place: Result<GuestVirtualAddress, CommandFailure>, _ text: String) {
        switch place {
        case .failure(let failure): complain(failure.message)
        case .success(let address) where focus == .code: showCode(at: address)
        case .success: memory = MemoryPlace(expression: text)
        }
    }

    mutating func showCode(at address: GuestVirtualAddress) {
        (codeCursor, codePlace) = (address, address)
    }
}
