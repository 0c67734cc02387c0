/// Guest memory that a tracer looks at behind each step.
struct WatchedMemory {
    var slots: [GuestExtent] = []
    private var watched: [WatchedBytes] = []
    /// What was last seen; `nil` where it could not be read.
    private var values: [[UInt8]?] = []

    var isEmpty: Bool { watched.isEmpty }

    mutating func watch(_ bytes: [WatchedBytes]) {
        (watched, values) = (bytes, bytes.map { _ in nil })
    }

    /// Whether it is other than at the last look, as far as both could be read.
    mutating func hasChanged(_ memory: ProcessMemory) -> Bool {
        var hasChanged = false
        for (index, bytes) in watched.enumerated() {
            let place = GuestExtent.host(of: bytes.address.rawValue, count: bytes.count, in: slots)
            guard let new = place.flatMap({ memory.read($0, count: bytes.count) }) else { continue }
            if let old = values[index], old != new { hasChanged = true }
            values[index] = new
        }
        return hasChanged
    }
}
