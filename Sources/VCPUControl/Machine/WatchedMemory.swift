/// Memory that is looked at behind each step, where nothing tells of a write.
struct WatchedMemory {
    private var watched: [WatchedBytes] = []
    /// What was last seen; `nil` where it could not be read yet.
    private var values: [[UInt8]?] = []

    var isEmpty: Bool { watched.isEmpty }

    mutating func watch(_ bytes: [WatchedBytes]) {
        (watched, values) = (bytes, bytes.map { _ in nil })
    }

    /// Whether it is other than at the last look, as far as both could be read.
    mutating func hasChanged(reading read: (WatchedBytes) -> [UInt8]?) -> Bool {
        var hasChanged = false
        for (index, bytes) in watched.enumerated() {
            guard let new = read(bytes) else { continue }
            if let old = values[index], old != new { hasChanged = true }
            values[index] = new
        }
        return hasChanged
    }
}
