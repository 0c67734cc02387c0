import VCPUControl

/// The VMGEXITs in order: number, vCPU, outcome where it is not `ok`, and what was asked.
enum LogView {
    static func content(_ state: UIState, width: Int) -> PaneContent {
        let entries = state.log.shown
        let title = filterTitle(
            state.log.filter?.text, shown: entries.count, of: state.log.entries.count)
        guard let last = entries.last else { return PaneContent(title: title, []) }
        let digits = max(3, String(last.sequence).utf8.count)
        let showsVCPU = (state.launch?.vcpus ?? 1) > 1
        let chosen = state.log.chosenIndex
        // Of a protected guest the host knows no RIP, whatever the exchange says.
        let showsRIP = width >= 70 && state.launch?.protectedState == false
        return PaneContent(title: title, count: entries.count, cursor: chosen) { index in
            line(entries[index], isChosen: index == chosen, digits, showsVCPU, showsRIP)
        }
    }

    /// What a pane's title says of a filter that is on.
    static func filterTitle(_ filter: String?, shown: Int, of count: Int) -> String {
        filter.map { "\\\($0) \(shown) of \(count)" } ?? ""
    }

    private static func line(
        _ entry: ExitRecord, isChosen: Bool, _ digits: Int, _ showsVCPU: Bool,
        _ showsRIP: Bool
    ) -> StyledText {
        let exchange = entry.exchange
        var line = StyledText(isChosen ? ">" : " ", .current)
        line.add(String(entry.sequence).rightAligned(digits) + " ", .dim)
        if showsVCPU { line.add("v\(exchange.vcpu) ") }
        if showsRIP, let rip = exchange.rip.value {
            line.add(rip.rawValue.hexDigits(6) + " ", .dim)
        }
        let isGood = exchange.outcome == .ok
        if !isGood { line.add("! \(exchange.outcome.name) ", .error) }
        let summary = exchange.summary
        if !summary.hasPrefix(exchange.name) { line.add(exchange.name + " ", .strong) }
        line.add(summary, isGood ? .normal : .error)
        return line
    }
}
