/// What `restart` and `ghcb SETUP` did: the guest stands at its first instruction again.
package struct Relaunch: Sendable, Equatable {
    package var setup: GHCBSetup
    /// The setup of the launch before.
    package var previous: GHCBSetup
    /// Breakpoints that are where they were meant to be.
    package var kept: Int
    /// Breakpoints whose place this launch does not have; they are disabled.
    package var lost: [Breakpoint]
    /// Why the machine cannot have every setup; `nil` where it can.
    package var limit: String?

    /// One sentence for each breakpoint that was lost.
    package var warnings: [String] {
        lost.map { breakpoint in
            let name = breakpoint.symbol ?? breakpoint.place.text
            return "breakpoint \(breakpoint.number) is disabled: there is no \(name) under"
                + " \(setup.rawValue)"
        }
    }

    /// All of it in one sentence.
    package var sentence: String {
        var parts = ["relaunched under \(setup.rawValue)"]
        if kept > 0 { parts.append(kept == 1 ? "1 breakpoint kept" : "\(kept) breakpoints kept") }
        guard setup != previous else { return (parts + warnings).joined(separator: "; ") }
        parts.append("was \(previous.rawValue)")
        return (parts + warnings + (limit.map { [$0] } ?? [])).joined(separator: "; ")
    }
}
