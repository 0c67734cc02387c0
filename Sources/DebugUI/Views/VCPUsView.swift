import VCPUControl

/// Every vCPU: number, state, RIP with its symbol, instructions, and the last VMGEXIT.
enum VCPUsView {
    static func content(_ state: UIState, width: Int) -> PaneContent {
        guard let snapshot = state.snapshot else { return PaneContent([]) }
        let vcpus = snapshot.vcpus
        let chosen = state.vcpuCursor ?? snapshot.current
        return PaneContent(
            title: state.isRunning ? "last stop" : "", count: vcpus.count,
            cursor: vcpus.firstIndex { $0.number == chosen } ?? 0
        ) { index in
            let exit = state.log.entries.last { $0.exchange.vcpu == vcpus[index].number }
            return line(vcpus[index], exit, in: snapshot, width)
        }
    }

    private static func line(
        _ vcpu: Snapshot.VCPU, _ exit: ExitRecord?, in snapshot: Snapshot, _ width: Int
    ) -> StyledText {
        var line = head(vcpu, in: snapshot)
        let isWide = width >= 70
        line.add(" " + (vcpu.symbol ?? "").padded(isWide ? 24 : 16), .symbol)
        line.add(" " + String(vcpu.instructions.value).rightAligned(isWide ? 10 : 5))
        line.add(isWide ? " insns  " : " ", .dim)
        guard let exit else {
            line.add("no VMGEXIT", .dim)
            return line
        }
        line.add("#\(exit.number) ", .dim)
        line.add(isWide ? exit.exchange.summary : exit.exchange.name)
        return line
    }

    /// Mark, number, state and RIP; `>` marks the vCPU that the other panes show.
    static func head(_ vcpu: Snapshot.VCPU, in snapshot: Snapshot) -> StyledText {
        let isCurrent = vcpu.number == snapshot.current
        var line = StyledText(isCurrent ? ">" : " ", .current)
        line.add("v\(vcpu.number)".padded(3), isCurrent ? .strong : .normal)
        line.add(vcpu.state.rawValue.padded(9))
        switch vcpu.rip {
        case .known(let rip, _): line.add(rip.rawValue.hexDigits(6))
        case .hidden(let reason): line.add(reason.placeholder, .hidden)
        }
        return line
    }
}
