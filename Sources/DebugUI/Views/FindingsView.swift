import VCPUControl

/// What the lint rules have found: severity, rule, vCPU, RIP, VMGEXIT, and what is wrong.
enum FindingsView {
    static func content(_ state: UIState) -> PaneContent {
        let records = state.findings.shown
        let title = LogView.filterTitle(
            state.findings.filter?.text, shown: records.count,
            of: state.findings.entries.count)
        guard !records.isEmpty else {
            return PaneContent(title: title, [StyledText("no findings", .dim)])
        }
        let chosen = state.findings.chosenIndex
        return PaneContent(title: title, count: records.count, cursor: chosen) { index in
            line(records[index].finding, isChosen: index == chosen)
        }
    }

    private static func line(_ finding: Finding, isChosen: Bool) -> StyledText {
        var line = StyledText(isChosen ? ">" : " ", .current)
        line.add(finding.severity.rawValue.padded(8), style(of: finding))
        line.add(finding.rule.id + " ", .strong)
        line.add("v\(finding.vcpu) ")
        switch finding.rip {
        case .known(let rip, _): line.add(rip.rawValue.hexDigits(6) + " ", .dim)
        case .hidden(let reason): line.add(reason.placeholder + " ", .hidden)
        }
        if let sequence = finding.sequence { line.add("#\(sequence) ", .dim) }
        line.add(finding.message)
        return line
    }

    private static func style(of finding: Finding) -> Style {
        switch finding.severity {
        case .error: .error
        case .warning: .strong
        case .note: .normal
        }
    }

    /// All of a finding, broken into lines.
    static func whole(_ finding: Finding, width: Int) -> [String] {
        let exit = finding.sequence.map { "#\($0); o goes to it" } ?? "none"
        let facts = [
            ("rule", finding.rule.id), ("severity", finding.severity.rawValue),
            ("vCPU", "\(finding.vcpu)"), ("RIP", finding.rip.text), ("VMGEXIT", exit),
            ("fires when", finding.rule.explanation), ("spec", finding.spec),
        ]
        return finding.message.wrapped(width) + [""]
            + facts.flatMap { name, text in
                text.wrapped(width - 12).enumerated().map { index, line in
                    (index == 0 ? name : "").padded(12) + line
                }
            }
    }
}
