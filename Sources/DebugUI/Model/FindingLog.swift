package import VCPUControl

/// What a lint rule found, numbered in the order of reports.
package struct FindingRecord: Record {
    package var number: Int
    package var finding: Finding

    package func matches(_ filter: TextPattern) -> Bool { filter.isFound(in: finding.line) }
}

/// What the lint rules have found since launch.
package typealias FindingLog = RecordList<FindingRecord>

extension FindingLog {
    package mutating func append(_ finding: Finding) {
        append(FindingRecord(number: (entries.last?.number ?? 0) + 1, finding: finding))
    }

    /// How many there are, with `!` where one of them is an error; empty where there are none.
    var badge: String {
        guard let last = entries.last else { return "" }
        let isSerious = entries.contains { $0.finding.severity == .error }
        return "(\(last.number)\(isSerious ? "!" : ""))"
    }
}
