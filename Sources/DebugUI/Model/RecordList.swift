/// Something that comes numbered, and that a filter picks out.
package protocol Record: Sendable, Equatable {
    associatedtype Filter: Sendable, Equatable

    /// Greater than that of every record before it.
    var number: Int { get }
    func matches(_ filter: Filter) -> Bool
}

/// The last records of a guest, of which one can be chosen: as many as `limit` at least, and a
/// fifth more at most.
package struct RecordList<Entry: Record>: Sendable, Equatable {
    package static var limit: Int { 10_000 }

    package private(set) var entries: [Entry] = []
    /// Those that the filter lets through, while there is one.
    private var matching: [Entry] = []
    /// The number of the record that was chosen; `nil` is the last one.
    package var chosen: Int?
    /// What a record has to match to be shown; `nil` shows all.
    package var filter: Entry.Filter? {
        didSet { matching = filter.map { filter in entries.filter { $0.matches(filter) } } ?? [] }
    }

    package init() {}

    /// What is shown, in order.
    package var shown: [Entry] { filter == nil ? entries : matching }

    package mutating func append(_ entry: Entry) {
        entries.append(entry)
        if let filter, entry.matches(filter) { matching.append(entry) }
        guard entries.count > Self.limit + Self.limit / 5 else { return }
        entries.removeFirst(entries.count - Self.limit)
        let first = entries.first?.number ?? 0
        matching.removeAll { $0.number < first }
    }

    /// Forgets the records, but not the filter.
    package mutating func clear() {
        (entries, matching, chosen) = ([], [], nil)
    }

    /// The place of the chosen record in `shown`, or of the one that takes its place when it is not
    /// there.
    package var chosenIndex: Int? {
        let shown = shown
        guard let chosen, let last = shown.indices.last else { return shown.indices.last }
        var (low, high) = (0, last)
        while low < high {
            let middle = (low + high) / 2
            if shown[middle].number < chosen { low = middle + 1 } else { high = middle }
        }
        return low
    }

    package var chosenEntry: Entry? { chosenIndex.map { shown[$0] } }

    /// Chooses a record by its place in `shown`; the last one is left for those that come after it.
    package mutating func choose(_ index: Int) {
        guard shown.indices.contains(index) else { return }
        chosen = index == shown.count - 1 ? nil : shown[index].number
    }
}
