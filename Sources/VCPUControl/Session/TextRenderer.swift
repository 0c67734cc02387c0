/// Session events as lines of text for people, without a control character from the guest.
package struct TextRenderer {
    /// Whether ANSI colours are wanted; nothing is told by them alone.
    private let hasColor: Bool
    private var vcpus = 1
    /// Console output of each vCPU that has not come to the end of its line.
    private var unfinished: [Int: [UInt8]] = [:]

    package init(hasColor: Bool) { self.hasColor = hasColor }

    /// What to write for an event; empty for a command that answers nothing, or that failed.
    ///
    /// Console output is shown by lines, the rest of one when the guest stands still.
    package mutating func text(for event: SessionEvent) -> String {
        let lines = lines(for: event).map { $0 + "\n" }.joined()
        switch event {
        case .console(let vcpu, let bytes): return console(bytes, of: vcpu)
        case .vmgexit, .finding, .exit: return lines
        case .launch(let launch):
            vcpus = launch.vcpus
            return takeUnfinished() + lines
        case .stop, .result, .end: return takeUnfinished() + lines
        }
    }

    /// The longest line that waits for its end.
    private static let longestLine = 4096

    private mutating func console(_ bytes: [UInt8], of vcpu: Int) -> String {
        let newline = UInt8(ascii: "\n")
        let waiting = unfinished.removeValue(forKey: vcpu) ?? []
        let text = waiting + bytes
        let end = bytes.lastIndex(of: newline).map { waiting.count + $0 + 1 } ?? 0
        let rest = text[end...]
        guard rest.count < Self.longestLine else { return EscapedText.console(text) + "\n" }
        if !rest.isEmpty { unfinished[vcpu] = Array(rest) }
        return EscapedText.console(text[..<end])
    }

    private mutating func takeUnfinished() -> String {
        defer { unfinished = [:] }
        return unfinished.sorted { $0.key < $1.key }
            .map { EscapedText.console($0.value) + "\n" }.joined()
    }

    private func lines(for event: SessionEvent) -> [String] {
        switch event {
        case .launch(let launch): [Self.line(launch)] + launch.facts.map(Self.line)
        case .vmgexit(let sequence, let exchange):
            lines(ExchangeRecord(sequence: sequence, exchange: exchange))
        case .finding(let finding): lines(finding)
        case .stop(let stop): lines(stop)
        case .exit(let exit): [EscapedText.line(exit.line)]
        case .console: []
        case .result(let result): Self.lines(result)
        case .end(let end): [Self.line(end)]
        }
    }

    private static func line(_ launch: Launch) -> String {
        let vcpus = launch.vcpus == 1 ? "1 vCPU" : "\(launch.vcpus) vCPUs"
        guard let ghcb = launch.ghcb, let version = launch.ghcbVersion, let entry = launch.entry
        else { return EscapedText.line("[attached to \(launch.guest): \(vcpus)]") }
        let fault = launch.hypervisorFault.map { ", under a hypervisor that \($0)" } ?? ""
        return EscapedText.line(
            "[launched \(launch.guest) on \(launch.machine): \(vcpus), GHCB by \(ghcb),"
                + " protocol version \(version), entry \(entry.rawValue.hex)"
                + "\(fault)]")
    }

    private static func line(_ fact: MachineFact) -> String {
        EscapedText.line("[\(fact.name): \(fact.value)]")
    }

    private func lines(_ record: ExchangeRecord) -> [String] {
        let line = EscapedText.line(record.line)
        return [paint(line, record.exchange.outcome == .ok ? .exchange : .problem)]
    }

    private func lines(_ finding: Finding) -> [String] {
        let line = EscapedText.line(finding.line)
        return [paint(line, finding.severity == .error ? .problem : .stop)]
    }

    /// gdb's form: what happened, then `=>` and the instruction that comes next.
    private func lines(_ stop: Stop) -> [String] {
        let place: String =
            switch stop.rip {
            case .known(let rip, _):
                rip.rawValue.hex + (stop.symbol.map { " <\($0)>" } ?? "")
                    + (stop.instruction.map { ":\t\($0)" } ?? "")
            case .hidden(let reason): reason.mark
            }
        let head = title(stop).map { [paint(EscapedText.line($0), Self.color(stop.reason))] } ?? []
        return head + [EscapedText.line("=> " + place)]
    }

    /// What happened; `nil` where the command said it, or the line before.
    private func title(_ stop: Stop) -> String? {
        let vcpu = vcpus > 1 ? "vCPU \(stop.vcpu)" : nil
        let what: [String?] =
            switch (stop.reason, stop.detail) {
            case (.step, nil), (.vmgexit, nil): []
            case (.breakpoint, let detail), (.vmgexit, let detail), (.step, let detail),
                (.watchpoint, let detail):
                [detail]
            case (let reason, let detail): [reason.rawValue, detail]
            }
        let parts = ([vcpu] + what).compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: ": ")
    }

    private static func lines(_ result: CommandResult) -> [String] {
        guard case .success(let answer) = result.outcome else { return [] }
        return answer.lines.map(EscapedText.line)
    }

    private static func line(_ end: End) -> String {
        var text = "[guest \(words(end.reason))"
        if case .requested(let set, let code) = end.termination {
            text += ", set \(set) code \(code)"
        }
        let exits = end.vmgexits == 1 ? "1 VMGEXIT" : "\(end.vmgexits) VMGEXITs"
        let findings = end.findings == 1 ? ", 1 finding" : ", \(end.findings) findings"
        return "\(text): \(end.instructions.text), \(exits)\(end.findings == 0 ? "" : findings)]"
    }

    private static func words(_ reason: End.Reason) -> String {
        switch reason {
        case .quit: "ended by quit"
        case .detached: "left running"
        case .vanished: "gone with its VMM"
        case .unimplemented: "stopped at an instruction that the emulator does not know"
        case .shutdown: "shut down"
        default: reason.rawValue
        }
    }
}

// Colours.
extension TextRenderer {
    private enum Paint: String {
        case plain = ""
        case exchange = "36"
        case problem = "1;31"
        case stop = "1"
    }

    private static func color(_ reason: Stop.Reason) -> Paint {
        switch reason {
        case .terminated, .shutdown, .unimplemented: .problem
        default: .stop
        }
    }

    private func paint(_ line: String, _ paint: Paint) -> String {
        guard hasColor, paint != .plain else { return line }
        return "\u{1b}[\(paint.rawValue)m\(line)\u{1b}[0m"
    }
}
