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
        // Without a setup the command says why there is none.
        let current = snapshot.setup ?? .pool
        var next = current.next
        while !snapshot.setups.contains(next), next != current { next = next.next }
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
        recent = [pane] + recent.filter { $0 != pane }
        return []
    }

    mutating func toggleZoom() -> [Effect] {
        isZoomed.toggle()
        return []
    }

    /// Takes the pane's filter away; else goes back to what is shown without any scrolling: RIP, the
    /// last exchange, the newest output, where the memory's expression leads.
    mutating func dismiss() -> [Effect] {
        guard !dropFilter() else { return [] }
        resetCursors()
        scroll[focus.rawValue] = ScrollPosition()
        guard focus == .memory else { return [] }
        memory = memory.start == nil ? MemoryPlace() : MemoryPlace(expression: memory.expression)
        return []
    }
}
