package import VCPUControl

/// Events that wait for the terminal; of a flood of exchanges and output only the last are kept.
package struct EventBacklog: Sendable {
    /// Exchanges and pieces of output that are kept at least.
    package static let limit = ExitLog.limit

    private var events: [SessionEvent] = []
    private var bulk = 0

    package init() {}

    package mutating func append(_ event: SessionEvent) {
        events.append(event)
        guard event.isBulk else { return }
        bulk += 1
        if bulk >= 2 * Self.limit { dropOldest(bulk - Self.limit) }
    }

    private mutating func dropOldest(_ count: Int) {
        var left = count
        events.removeAll { event in
            guard left > 0, event.isBulk else { return false }
            left -= 1
            return true
        }
        bulk -= count
    }

    /// Hands over what has come since the last time, in order.
    package mutating func take() -> [SessionEvent] {
        defer { (events, bulk) = ([], 0) }
        return events
    }
}

extension SessionEvent {
    /// Whether a guest can make any number of these without stopping.
    fileprivate var isBulk: Bool {
        switch self {
        case .vmgexit, .console, .finding, .exit: true
        case .launch, .stop, .result, .end: false
        }
    }
}
