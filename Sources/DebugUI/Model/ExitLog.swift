package import VCPUControl

/// The last VMGEXITs of a guest: as many as `limit` at least, and a fifth more at most.
package struct ExitLog: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package var sequence: Int
        package var exchange: Exchange
    }

    package static let limit = 10_000

    package private(set) var entries: [Entry] = []

    package init() {}

    package mutating func append(_ entry: Entry) {
        entries.append(entry)
        if entries.count > Self.limit + Self.limit / 5 {
            entries.removeFirst(entries.count - Self.limit)
        }
    }

    /// The place of an entry, or of the one that takes its place when it is gone.
    ///
    /// `nil` asks for the last one.
    package func index(of sequence: Int?) -> Int? {
        guard let sequence, let last = entries.indices.last else { return entries.indices.last }
        var (low, high) = (0, last)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
