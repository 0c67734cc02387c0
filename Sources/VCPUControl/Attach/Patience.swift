/// How long the threads of a VMM have to come to their `KVM_RUN`: as long as something is done there.
struct Patience {
    /// Why waiting has ended.
    enum End: Equatable {
        /// Nothing has run for so long.
        case idle
        /// The VMM runs, and does something else.
        case late
    }

    /// How long the VMM may do nothing at all, and how long it may take in all.
    static let idleLimit = Duration.seconds(2)
    /// The same where a vCPU is held already, which others may wait for.
    static let holdingLimit = Duration.milliseconds(100)
    static let limit = Duration.seconds(60)
    /// What counts at most between two looks: a tracer that had to wait itself knows no more.
    private static let longestRound = Duration.milliseconds(10)

    private let start: ContinuousClock.Instant
    private var last: ContinuousClock.Instant
    private var idle = Duration.zero

    init(from now: ContinuousClock.Instant = .now) { (start, last) = (now, now) }

    /// Looks again.
    ///
    /// - Parameters:
    ///   - isRunning: whether a thread of the VMM runs, or waits for a processor.
    ///   - isHolding: whether a vCPU is held.
    ///   - now: when it was looked at.
    /// - Returns: `nil` while there is reason to wait.
    mutating func look(
        isRunning: Bool, isHolding: Bool = false, at now: ContinuousClock.Instant = .now
    ) -> End? {
        if !isRunning { idle += min(now - last, Self.longestRound) }
        last = now
        if idle >= (isHolding ? Self.holdingLimit : Self.idleLimit) { return .idle }
        return now - start >= Self.limit ? .late : nil
    }
}
