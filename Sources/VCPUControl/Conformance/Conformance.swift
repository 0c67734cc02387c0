/// The rules of `ConformanceCheck`, looked at on every machine that is to be had.
package struct Conformance {
    package enum Outcome: Sendable, Equatable {
        case passed
        /// What is otherwise than the rule says.
        case failed(String)
        /// Why it was not looked at.
        case skipped(String)
    }

    /// One rule on all machines.
    package struct Row: Sendable {
        package let check: ConformanceCheck
        /// In the order of the machines.
        package let outcomes: [Outcome]
    }

    /// A machine, or why it cannot be examined.
    private enum Candidate {
        case ready(ConformanceBench)
        case not(Outcome)
    }

    package let machines: [ConformanceMachine]
    private let checks: [ConformanceCheck]
    private let candidates: [Candidate]

    /// Launches a first guest on each machine that is to be had.
    ///
    /// - Parameters:
    ///   - machines: the machines, in the order in which they are shown.
    ///   - checks: what is looked at.
    ///   - patience: how long a guest may run before it counts as one that does not end.
    package init(
        _ machines: [ConformanceMachine], checks: [ConformanceCheck] = ConformanceCheck.all,
        patience: Duration = .seconds(60)
    ) {
        (self.machines, self.checks) = (machines, checks)
        candidates = machines.map { machine in
            if let obstacle = machine.obstacle { return .not(.skipped(obstacle)) }
            do throws(ConformanceFailure) {
                return .ready(try ConformanceBench(machine, patience: patience))
            } catch { return .not(.failed("launches no guest: \(error.text)")) }
        }
    }

    /// Looks at everything; each row is handed over when it is known.
    package func run(_ show: (Row) -> Void) -> ConformanceSummary {
        var summary = ConformanceSummary(machines)
        for check in checks {
            let row = Row(check: check, outcomes: candidates.map { Self.outcome(check, $0) })
            summary.add(row)
            show(row)
        }
        return summary
    }

    private static func outcome(_ check: ConformanceCheck, _ candidate: Candidate) -> Outcome {
        switch candidate {
        case .not(let outcome): return outcome
        case .ready(let bench):
            if let obstacle = check.need?.obstacle(bench) { return .skipped(obstacle) }
            do throws(ConformanceFailure) {
                try check.body(bench)
                return .passed
            } catch { return .failed(error.text) }
        }
    }
}
