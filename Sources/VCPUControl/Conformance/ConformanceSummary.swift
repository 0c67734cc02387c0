/// How many rules were kept, and which were not looked at.
package struct ConformanceSummary: Sendable {
    private let machines: [ConformanceMachine]
    private var checks = 0
    private var (passed, failed, skipped) = (0, 0, 0)
    /// The checks that a machine was left out of, for one reason each.
    private var skips: [[(reason: String, checks: [String])]]

    init(_ machines: [ConformanceMachine]) {
        self.machines = machines
        skips = machines.map { _ in [] }
    }

    package var isGood: Bool { failed == 0 }

    mutating func add(_ row: Conformance.Row) {
        checks += 1
        for (machine, outcome) in row.outcomes.enumerated() {
            switch outcome {
            case .passed: passed += 1
            case .failed: failed += 1
            case .skipped(let reason):
                skipped += 1
                let known = skips[machine].firstIndex { $0.reason == reason }
                if let known {
                    skips[machine][known].checks.append(row.check.id)
                } else {
                    skips[machine].append((reason, [row.check.id]))
                }
            }
        }
    }

    /// The skips with their reasons, and the counts.
    package var text: String {
        let head = skipped == 0 ? [] : ["", "left out:"]
        let list = zip(machines, skips).flatMap { machine, skips in
            skips.map { skip in
                let all = skip.checks.count == checks
                let names = all ? "all \(checks) checks" : skip.checks.joined(separator: ", ")
                return "  \(machine.name): \(names): \(skip.reason)"
            }
        }
        let counts = "\(passed) passed, \(failed) failed, \(skipped) skipped: "
        return (head + list + ["", counts + (isGood ? "all is well" : "there are failures")])
            .map { EscapedText.line($0) + "\n" }.joined()
    }
}
