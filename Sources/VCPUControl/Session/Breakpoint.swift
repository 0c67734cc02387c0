/// A place, a change of memory or a VMGEXIT at which the guest stops.
package struct Breakpoint: Sendable, Equatable {
    package enum Place: Sendable, Equatable {
        /// `expression` finds the address again after a relaunch; `nil` where nothing can.
        case address(GuestVirtualAddress, expression: Expression?)
        case exchange(ExitFilter)
        case memory(Watchpoint)

        package var address: GuestVirtualAddress? {
            if case .address(let address, _) = self { address } else { nil }
        }

        package var watchpoint: Watchpoint? {
            if case .memory(let watchpoint) = self { watchpoint } else { nil }
        }
    }

    /// What has to be true for the guest to stop.
    package struct Condition: Sendable, Equatable {
        package var expression: Expression
        /// As the user wrote it.
        package var text: String
    }

    /// From 1, never used again.
    package var number: Int
    package var place: Place
    /// `name+offset` where a symbol covers the address.
    package var symbol: String?
    package var condition: Condition?
    package var isEnabled = true
    package var hits = 0

    package var address: GuestVirtualAddress? { place.address }

    package var watchpoint: Watchpoint? { place.watchpoint }

    package var filter: ExitFilter? {
        if case .exchange(let filter) = place { filter } else { nil }
    }
}

/// The breakpoints of a session, in the order of their numbers.
struct BreakpointList {
    private(set) var all: [Breakpoint] = []
    private var next = 1

    /// What machines have to watch.
    var watched: [WatchedBytes] {
        all.lazy.filter(\.isEnabled).compactMap(\.watchpoint).flatMap(\.pieces)
    }

    /// Changes the enabled watchpoints, given with their numbers.
    mutating func updateWatchpoints(_ body: (Int, inout Watchpoint) -> Void) {
        update(all.filter(\.isEnabled).map(\.number)) { breakpoint in
            guard case .memory(var watchpoint) = breakpoint.place else { return }
            body(breakpoint.number, &watchpoint)
            breakpoint.place = .memory(watchpoint)
        }
    }

    /// Where machines have to stop.
    var addresses: Set<GuestVirtualAddress> {
        Set(all.lazy.filter(\.isEnabled).compactMap(\.address))
    }

    /// The number that the next breakpoint gets.
    var nextNumber: Int { next }

    mutating func add(_ breakpoint: Breakpoint) {
        all.append(breakpoint)
        next += 1
    }

    func contains(_ number: Int) -> Bool { all.contains { $0.number == number } }

    mutating func remove(_ numbers: [Int]) { all.removeAll { numbers.contains($0.number) } }

    mutating func setEnabled(_ numbers: [Int], _ isEnabled: Bool) {
        update(numbers) { $0.isEnabled = isEnabled }
    }

    mutating func hit(_ number: Int) { update([number]) { $0.hits += 1 } }

    /// Forgets the hits, and finds places again, for a new launch.
    ///
    /// - Returns: those whose place is not there any more; they are disabled.
    mutating func relaunch(finding place: (Breakpoint.Place) -> Breakpoint.Place?) -> [Breakpoint] {
        var lost: [Breakpoint] = []
        update(all.map(\.number)) { breakpoint in
            breakpoint.hits = 0
            if let found = place(breakpoint.place) {
                breakpoint.place = found
            } else {
                breakpoint.isEnabled = false
                lost.append(breakpoint)
            }
        }
        return lost
    }

    func enabled(at address: GuestVirtualAddress) -> [Breakpoint] {
        all.filter { $0.isEnabled && $0.address == address }
    }

    /// What machines must not miss of the guest's VMGEXITs.
    var filters: [ExitFilter] { all.lazy.filter(\.isEnabled).compactMap(\.filter) }

    func enabled(matching exchange: Exchange) -> [Breakpoint] {
        all.filter { $0.isEnabled && ($0.filter?.matches(exchange) ?? false) }
    }

    func enabled(matching access: PassedExit.Kind) -> [Breakpoint] {
        all.filter { $0.isEnabled && ($0.filter?.matches(access) ?? false) }
    }

    private mutating func update(_ numbers: [Int], _ change: (inout Breakpoint) -> Void) {
        for index in all.indices where numbers.contains(all[index].number) { change(&all[index]) }
    }
}
