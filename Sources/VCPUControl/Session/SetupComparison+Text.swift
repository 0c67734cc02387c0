// `compare` as text: the facts in two columns, then the VMGEXITs as a difference; 80 columns wide.

extension SetupComparison {
    private static let width = 80
    private static let labelWidth = 28
    private static let columnWidth = 26

    var lines: [String] {
        let head = Self.row(scopeText, left.setup.rawValue, right.setup.rawValue)
        let rows = facts.map { Self.row($0.label, $0.left, $0.right) }
        return [head] + rows + remarks.flatMap(Self.wrapped) + traceLines
    }

    /// What the facts of the entry are about, where that could be asked.
    package var scopeText: String { vcpus > 1 ? "(entry: that of vCPU 0)" : "" }

    private static func row(_ label: String, _ left: String, _ right: String) -> String {
        label.padded(to: labelWidth) + left.padded(to: columnWidth) + right
    }

    // MARK: Facts

    /// One line of what the two runs are measured by.
    package struct Fact: Sendable, Equatable {
        package var label: String
        package var left: String
        package var right: String
    }

    package var facts: [Fact] {
        let rows: [(String, (SetupRun) -> String)] = [
            ("instructions to the entry", \.entryText),
            ("GHCB MSR writes before it", { $0.msrWritesBeforeEntry.text }),
            ("GHCB MSR writes in all", { $0.msrWrites.text }),
            ("argument registers", \.argumentText),
            ("GHCB pages", { Self.pages($0.pages.ghcbs) }),
            ("pool header pages", { Self.pages($0.pages.pool) }),
            ("instructions in all", { $0.instructions.text }),
            ("VMGEXITs", { String($0.vmgexits) }),
            ("findings", \.findingText),
            ("end", \.ending.text),
        ]
        return rows.map { label, text in
            Fact(
                label: label, left: left.value.map(text) ?? "-",
                right: right.value.map(text) ?? "-")
        }
    }

    private static func pages(_ range: Range<UInt64>) -> String {
        range.isEmpty ? "none" : "\(range.count / 4096) (\(range.count) bytes)"
    }

    /// What does not fit into the columns, in sentences.
    package var remarks: [String] {
        let isHidden = [left, right].contains {
            $0.value?.msrWrites.value == nil && $0.value != nil
        }
        let hidden = isHidden ? ["\(Hidden.protected.mark): \(Hidden.protected.sentence)"] : []
        let own = left.notes(as: name(of: left, "left")) + right.notes(as: name(of: right, "right"))
        return (own + hidden).map(EscapedText.line)
    }

    /// A sentence in lines that fit, those behind the first indented.
    private static func wrapped(_ text: String) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            let last = lines.count - 1
            if lines[last].isEmpty {
                lines[last] = String(word)
            } else if lines[last].count + word.count < width {
                lines[last] += " " + word
            } else {
                lines.append("  " + word)
            }
        }
        return lines
    }
}

extension SetupComparison.Column {
    fileprivate func notes(as name: String) -> [String] {
        switch run {
        case .failure(let failure): return ["\(name): \(failure.message)"]
        case .success(let run):
            let breaches = run.breaches.map { breach in
                "\(name): \(breach.severity.rawValue) \(breach.rule.id)"
                    + (breach.count > 1 ? " x\(breach.count)" : "")
            }
            return breaches + (run.ending.note.map { ["\(name): \($0)"] } ?? [])
        }
    }
}

extension Reading where Value: FixedWidthInteger {
    fileprivate var text: String {
        switch self {
        case .known(let value, _): String(value)
        case .hidden(let reason): reason.mark
        }
    }
}

extension SetupRun {
    private static let notReached = "entry not reached"

    fileprivate var entryText: String {
        switch instructionsToEntry {
        case .known(let count, _): count.map(String.init) ?? Self.notReached
        case .hidden(let reason): reason.mark
        }
    }

    fileprivate var argumentText: String {
        switch lostArguments {
        case .known(nil, _): Self.notReached
        case .known(let lost?, _):
            lost.isEmpty ? "preserved" : "lost: " + lost.map(\.name).joined(separator: " ")
        case .hidden(let reason): reason.mark
        }
    }

    fileprivate var findingText: String {
        let counts = [LintRule.Severity.error, .warning, .note].compactMap { severity in
            let count = breaches.filter { $0.severity == severity }.reduce(0) { $0 + $1.count }
            return count == 0 ? nil : "\(count) \(severity.rawValue)" + (count == 1 ? "" : "s")
        }
        return counts.isEmpty ? "none" : counts.joined(separator: ", ")
    }
}

extension SetupRun.Ending {
    fileprivate var text: String {
        switch self {
        case .guest(_, .requested(let set, let code), _): "terminated, set \(set) code \(code)"
        case .guest(let reason, _, _): reason.rawValue
        case .instructionLimit, .exitLimit: "stopped, not ended"
        case .interrupted: "interrupted"
        case .failed: "failed"
        }
    }

    /// What more there is to say.
    fileprivate var note: String? {
        switch self {
        case .guest(_, _, let detail): detail
        case .interrupted: nil
        case .instructionLimit(let limit): "stopped after \(Self.count(limit)) instructions"
        case .exitLimit(let limit): "stopped after \(Self.count(UInt64(limit))) VMGEXITs"
        case .failed(let text): text
        }
    }

    private static func count(_ number: UInt64) -> String {
        let million: UInt64 = 1_000_000
        return number >= million && number.isMultiple(of: million)
            ? "\(number / million) M" : String(number)
    }
}

// MARK: - VMGEXITs

extension SetupComparison {
    /// Lines of differences that are shown at most; the records have all.
    private static let lineLimit = 60

    private var traceLines: [String] {
        guard left.value != nil, right.value != nil else { return [] }
        let differing = traces.filter { !$0.isSame }
        guard !differing.isEmpty else { return Self.wrapped("VMGEXITs: " + sameText(traces)) }
        let (first, second) = (name(of: left, "left"), name(of: right, "right"))
        var lines = ["VMGEXITs (- \(first), + \(second), ~ changed):"]
        var (shown, hidden) = (0, 0)
        for trace in differing {
            lines.append(summary(trace))
            let all = trace.lines
            let room = max(Self.lineLimit - shown, 0)
            lines += all.prefix(room).map(Self.cut)
            shown += min(all.count, room)
            hidden += max(all.count - room, 0)
        }
        if hidden > 0 { lines.append("  \(hidden) more lines; --json has all of them") }
        let others = traces.filter(\.isSame)
        return lines + (others.isEmpty ? [] : Self.wrapped("other vCPUs: " + sameText(others)))
    }

    private static func cut(_ line: String) -> String {
        line.count > width ? line.prefix(width - 3) + "..." : line
    }

    /// A setup beside itself has no name of its own.
    func name(of column: Column, _ side: String) -> String {
        left.setup == right.setup ? side : column.setup.rawValue
    }

    package func sameText(_ traces: [TraceComparison]) -> String {
        let count = traces.reduce(0) { $0 + $1.compared }
        let rest = traces.reduce((left: 0, right: 0)) { ($0.left + $1.left, $0.right + $1.right) }
        let whose = traces.count > 1 ? " of \(traces.count) vCPUs" : ""
        guard traces.contains(where: \.isPart) else {
            return count == 0 ? "none" : "identical, \(count)\(whose)"
        }
        let same = count == 0 ? "none so far" : "the first \(count)\(whose) are the same"
        return rest.left + rest.right > 0 ? same + "; " + restText(rest) : same
    }

    private func restText(_ rest: (left: Int, right: Int)) -> String {
        "not compared: \(rest.left) of \(name(of: left, "left")),"
            + " \(rest.right) of \(name(of: right, "right"))"
    }

    /// How many places of a vCPU's trace are the same, have changed, and stand alone.
    package func summary(_ trace: TraceComparison) -> String {
        var (same, changed, removed, added) = (0, 0, 0, 0)
        var rest = (left: trace.left, right: trace.right)
        for entry in trace.entries {
            switch entry {
            case .same: same += 1
            case .changed: changed += 1
            case .removed: removed += 1
            case .added: added += 1
            case .omitted(let left, let right): rest = (rest.left + left, rest.right + right)
            }
        }
        let counts = [
            (same, "the same"), (changed, "changed"), (removed, "only \(name(of: left, "left"))"),
            (added, "only \(name(of: right, "right"))"),
        ]
        let parts = counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        return "vCPU \(trace.vcpu): "
            + (parts + (rest.left + rest.right > 0 ? [restText(rest)] : [])).joined(separator: ", ")
    }
}

extension TraceComparison {
    /// Places of agreement that are shown around each difference.
    private static let context = 2
    /// Fields that are named for each exchange that changed.
    private static let fieldLimit = 8

    /// As a unified diff has it: differences with what is around them.
    fileprivate var lines: [String] {
        let entries = entries
        var shown = Set<Int>()
        for index in entries.indices where !entries[index].isSame {
            shown.formUnion(index - Self.context...index + Self.context)
        }
        var (lines, skipped) = ([String](), 0)
        for index in entries.indices {
            guard shown.contains(index) else {
                skipped += 1
                continue
            }
            if skipped > 0 { lines.append(Self.skip(skipped)) }
            skipped = 0
            lines += Self.lines(entries[index])
        }
        return lines + (skipped > 0 ? [Self.skip(skipped)] : [])
    }

    private static func skip(_ count: Int) -> String { "    ... \(count) the same" }

    private static func lines(_ entry: Entry) -> [String] {
        switch entry {
        case .same(let left, _): return ["    " + left.line]
        case .removed(let left): return ["  - " + left.line]
        case .added(let right): return ["  + " + right.line]
        case .omitted(let left, let right): return ["    ... \(left) and \(right) not compared"]
        case .changed(let left, _, let fields):
            let more = fields.count - fieldLimit
            return ["  ~ " + left.line]
                + fields.prefix(fieldLimit).map { "        " + $0.line }
                + (more > 0 ? ["        and \(more) more fields"] : [])
        }
    }
}

extension ComparedExchange {
    /// Its number and what was asked, without a control character.
    package var line: String {
        "#\(sequence)".padded(to: 6) + EscapedText.line(summary)
    }
}

extension FieldDifference {
    fileprivate var line: String {
        "\(name): \(left?.text ?? "not valid") | \(right?.text ?? "not valid")"
    }
}

extension ComparedExchange.Value {
    /// The value as people read it, without a control character.
    package var text: String { content.text + (place.map { " (\($0.text))" } ?? "") }
}

extension ComparedExchange.Content {
    fileprivate var text: String {
        switch self {
        case .number(let value): value.hex
        case .bytes(let bytes): Exchange.quoted(bytes[...])
        case .word(let text): text
        }
    }
}

extension ComparedExchange.Place {
    fileprivate var text: String {
        switch self {
        case .ghcb(let offset): offset == 0 ? "GHCB" : "GHCB+\(offset.hex)"
        case .stack(let vcpu, nil): "stack of vCPU \(vcpu)"
        case .stack(let vcpu, let offset?):
            "rsp of vCPU \(vcpu) \(offset < 0 ? "-" : "+") \(offset.magnitude.hex)"
        }
    }
}
