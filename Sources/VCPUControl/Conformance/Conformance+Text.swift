// As text, and as JSON records.
extension Conformance {
    /// What stands above the rows.
    package var heading: String {
        let names = machines.enumerated().map { "  \($0 + 1) = \($1.name)" }
        return names.joined() + "\n\n" + columns(machines.indices.map { "\($0 + 1)" }) + "rule\n"
    }

    private func columns(_ texts: [String]) -> String {
        texts.map { $0.padded(to: 8) }.joined()
    }

    /// One line, and one more for each machine that breaks the rule.
    package func text(_ row: Row) -> String {
        let words = row.outcomes.map { outcome in
            switch outcome {
            case .passed: "ok"
            case .failed: "FAILED"
            case .skipped: "-"
            }
        }
        let failures = zip(machines, row.outcomes).compactMap { machine, outcome in
            if case .failed(let text) = outcome { "    \(machine.name): \(text)" } else { nil }
        }
        let head = columns(words) + "\(row.check.id): \(row.check.rule)"
        return ([head] + failures).map { EscapedText.line($0) + "\n" }.joined()
    }

    /// One record for each machine.
    package func json(_ row: Row) -> [JSONValue] {
        zip(machines, row.outcomes).map { machine, outcome in
            let (word, reason): (String, String?) =
                switch outcome {
                case .passed: ("passed", nil)
                case .failed(let text): ("failed", text)
                case .skipped(let text): ("skipped", text)
                }
            return JSONRenderer.record(
                "selftest",
                [
                    .init("machine", .string(machine.name)), .init("check", .string(row.check.id)),
                    .init("outcome", .string(word)), .init("reason", .optional(reason)),
                ])
        }
    }
}
