package import VCPUControl

/// Two setups side by side, as rows of a page that can be scrolled.
package struct ComparisonPage: Sendable, Equatable {
    package enum Row: Sendable, Equatable {
        case text(String)
        case entry(TraceComparison.Entry)
        /// A field that the entry above differs in.
        case field(FieldDifference)
    }

    package let comparison: SetupComparison
    package let facts: [SetupComparison.Fact]
    /// Everything below the facts.
    package let rows: [Row]
    /// The rows where differences begin.
    package let differences: [Int]
    package var top = 0
    /// Columns scrolled out on the left of both sides.
    package var column = 0
    /// The place in `differences` that the user has gone to.
    package private(set) var current: Int?

    package init(_ comparison: SetupComparison) {
        self.comparison = comparison
        facts = comparison.facts
        let remarks = comparison.remarks.flatMap { $0.wrapped(76) }.map(Row.text)
        rows = remarks + Self.traces(comparison)
        differences = rows.indices.filter { [rows] in rows[$0].isDifference }
    }

    private static func traces(_ comparison: SetupComparison) -> [Row] {
        guard !comparison.traces.isEmpty else { return [.text("no VMGEXITs to compare")] }
        var rows: [Row] = []
        for trace in comparison.traces {
            let summary =
                trace.isSame ? comparison.sameText([trace]) : comparison.summary(trace)
            let whose = trace.isSame ? "vCPU \(trace.vcpu): " : ""
            rows.append(.text(whose + summary))
            for entry in trace.entries {
                rows.append(.entry(entry))
                if case .changed(_, _, let fields) = entry { rows += fields.map(Row.field) }
            }
        }
        return rows
    }

    /// The row of the difference that the user has gone to.
    package var currentRow: Int? { current.map { differences[$0] } }

    /// Goes to the next difference (1), or the one before (-1).
    ///
    /// - Returns: whether there is one.
    mutating func go(_ step: Int, page: Int) -> Bool {
        let target = current.map { $0 + step } ?? (step > 0 ? 0 : differences.count - 1)
        guard differences.indices.contains(target) else { return false }
        current = target
        top = max(0, min(differences[target] - page / 3, rows.count - page))
        return true
    }

    mutating func move(_ movement: Movement, page: Int) {
        if case .columns(let step) = movement {
            column = min(max(0, column + step), 4096)
        } else {
            top = movement.target(from: top, count: max(1, rows.count - page + 1), page: page)
        }
    }
}

extension ComparisonPage.Row {
    fileprivate var isDifference: Bool {
        switch self {
        case .entry(let entry): !entry.isSame
        case .text, .field: false
        }
    }
}
