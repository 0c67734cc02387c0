// Watched memory: what is, and whether it has changed.
extension Session {
    /// `watch`: `{u32} ADDR` says how many bytes, else the length does, else they are eight.
    func addWatchpoint(
        _ place: Expression, _ length: Expression?, _ condition: Breakpoint.Condition?
    ) throws(CommandFailure) -> Breakpoint {
        try requireStepping()
        var (place, count) = (place, UInt64(8))
        if case .memory(let unit, let address) = place {
            (place, count) = (address, UInt64(unit.rawValue))
        }
        if let length { count = try evaluate(length).bits }
        guard 1...Watchpoint.greatestCount ~= count else {
            throw CommandFailure(
                "cannot watch \(count) bytes; 1 to \(Watchpoint.greatestCount) can be watched")
        }
        let address = try address(place)
        return try addBreakpoint(
            .memory(
                Watchpoint(
                    address, expression: place.isConstant ? place : nil,
                    pieces: try pieces(address, Int(count)))), condition)
    }

    /// Where bytes lie in guest memory.
    private func pieces(
        _ address: GuestVirtualAddress, _ count: Int
    ) throws(CommandFailure) -> [WatchedBytes] {
        try memory.places(of: address, count: count).map { place, count throws(CommandFailure) in
            guard let place else {
                throw CommandFailure(
                    "cannot watch \(address.rawValue.hex): nothing is mapped there; watch it once the"
                        + " guest has mapped it")
            }
            return WatchedBytes(place, count: count)
        }
    }

    /// A watchpoint of an earlier launch in this one; `nil` where its place is not there.
    func found(_ watchpoint: Watchpoint) -> Watchpoint? {
        let address = watchpoint.expression.map { try? self.address($0) } ?? watchpoint.address
        guard let address, let pieces = try? pieces(address, watchpoint.count) else { return nil }
        return Watchpoint(address, expression: watchpoint.expression, pieces: pieces)
    }

    /// Tells the machine what to watch; what is changed from now on counts.
    func placeWatchpoints() throws(CommandFailure) {
        do throws(MachineError) {
            try machine.setWatchpoints(breakpoints.watched)
        } catch { throw CommandFailure(error.message) }
        noteWatched()
    }

    /// Takes watched memory as it is, whoever has changed it.
    func noteWatched() { breakpoints.updateWatchpoints { _ = look(at: &$1) } }

    private func look(at watchpoint: inout Watchpoint) -> String? {
        var bytes: [UInt8] = []
        for piece in watchpoint.pieces {
            // What cannot be read now is looked at later.
            guard let part = machine.read(piece.address, count: piece.count, as: .asUsed).value
            else { return nil }
            bytes += part
        }
        return watchpoint.look(bytes)
    }

    /// Looks whether watched memory has changed since it was last looked at.
    ///
    /// - Returns: which, and how, where that is to stop the guest.
    func takeChange(_ vcpu: Int) throws(CommandFailure) -> String? {
        guard breakpoints.all.contains(where: { $0.watchpoint != nil }) else { return nil }
        var changes: [Int: String] = [:]
        breakpoints.updateWatchpoints { number, watchpoint in
            changes[number] = look(at: &watchpoint)
        }
        var texts: [String] = []
        for breakpoint in breakpoints.all {
            guard let change = changes[breakpoint.number], try isHit(breakpoint, vcpu),
                !goesOn()
            else { continue }
            texts.append("watchpoint \(breakpoint.number), \(change)")
        }
        return texts.isEmpty ? nil : texts.joined(separator: "; ")
    }
}
