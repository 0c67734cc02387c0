import VCPUControl

extension Frame {
    /// The first row: guest, machine, setup, vCPU, state, counts.
    mutating func drawStatus(_ state: UIState, in area: Rect) {
        fill(area, " ", .bar)
        let parts = StatusView.parts(state)
        var line = StyledText(" ", .bar)
        for part in parts {
            guard line.width + part.text.unicodeScalars.count <= area.columns else { break }
            line.add(part.text, part.style)
            line.add("  ", .bar)
        }
        draw(line, in: area)
    }
}

enum StatusView {
    /// From the left, the most important first: what does not fit is left out.
    static func parts(_ state: UIState) -> [StyledText.Span] {
        guard let launch = state.launch else { return [.init(text: "sevdbg", style: .barStrong)] }
        var parts: [StyledText.Span] = []
        func add(_ text: String, _ style: Style = .bar) {
            parts.append(.init(text: text, style: style))
        }
        add(launch.guest.padded(min(20, launch.guest.unicodeScalars.count)), .barStrong)
        add(situation(state), .barStrong)
        add(launch.machine + (launch.protectedState ? " (protected)" : ""))
        if let ghcb = launch.ghcb, let version = launch.ghcbVersion { add("\(ghcb) v\(version)") }
        let live = state.isRunning ? state.run.guest : nil
        if let snapshot = state.snapshot {
            add("vcpu \(snapshot.current) of \(launch.vcpus)")
            if !state.isRunning { add(snapshot.instructions.shortText) }
        }
        let known = live?.vmgexits ?? state.snapshot?.vmgexits ?? 0
        let exits = max(state.log.entries.last?.sequence ?? 0, known)
        add("\(exits) exits")
        return parts
    }

    /// Whether the guest runs, why it stands, or how it came to its end.
    static func situation(_ state: UIState) -> String {
        if state.isRunning {
            let word = state.run.progress?.compared == nil ? "running" : "comparing"
            return word + " " + RunningView.spinner(state.run)
        }
        if let end = state.end { return describe(end) }
        guard let stop = state.stop else { return "at entry" }
        return "stopped: \(stop.reason.rawValue)"
    }

    private static func describe(_ end: End) -> String {
        let suffix =
            switch end.termination {
            case .requested(let set, let code): " \(set):\(code)"
            case .refused: " by KVM"
            case .runFailed(let errno, _): " errno \(errno)"
            case .internalError(let suberror, _): " suberror \(suberror)"
            case nil: ""
            }
        return "ended: \(end.reason.rawValue)\(suffix)"
    }
}
