/// One VMGEXIT with its number.
package struct ExchangeRecord: Sendable, Equatable {
    /// From 1, counted over all vCPUs of a launch.
    package var sequence: Int
    package var exchange: Exchange
}

/// The VMGEXITs of a launch: all counted, the last ones kept.
struct ExchangeRecords {
    /// At 8 KiB each, a bound for hours of running.
    static let capacity = 1000

    private(set) var count = 0
    private var kept: [ExchangeRecord] = []
    private var lastOfVCPU: [Int: Exchange] = [:]

    /// - Returns: the number of the exchange.
    mutating func record(_ exchange: Exchange) -> Int {
        count += 1
        lastOfVCPU[exchange.vcpu] = exchange
        // Half of it at once: a shift per exchange would cost more than the exchange.
        if kept.count >= 2 * Self.capacity { kept.removeFirst(Self.capacity) }
        kept.append(ExchangeRecord(sequence: count, exchange: exchange))
        return count
    }

    /// The last exchanges that match, the oldest first.
    func last(_ count: Int, matching filter: ExitFilter) -> [ExchangeRecord] {
        let matching = kept.suffix(Self.capacity).reversed().lazy
            .filter { filter.matches($0.exchange) }
        return matching.prefix(count).reversed()
    }

    func last(of vcpu: Int) -> Exchange? { lastOfVCPU[vcpu] }
}
