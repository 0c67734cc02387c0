// Watched memory: nothing tells of a write, so each step is followed by a look.
extension StubbedMachine {
    package func setWatchpoints(_ bytes: [WatchedBytes]) throws(MachineError) {
        watched.watch(bytes)
        _ = hasWatchedChanged()
    }

    /// Whether watched memory is other than at the last look, as far as both could be read.
    func hasWatchedChanged() -> Bool {
        guard !watched.isEmpty else { return false }
        cache = PrivateMemoryCache()
        var memory = watched
        defer { watched = memory }
        return memory.hasChanged { read($0.address, count: $0.count, as: .asUsed).value }
    }

    /// Steps the vCPUs that can be stepped, in turns.
    ///
    /// - Returns: `nil` where none can.
    func stepInTurns(_ limit: UInt64) throws(MachineError) -> (vcpu: Int, exit: VCPUExit)? {
        var (left, last) = (limit, Int?.none)
        while left > 0 {
            let before = left
            for number in vcpus.indices where left > 0 {
                settle(number)
                if let exit = takeHeld(.one(number)) { return exit }
                guard vcpus[number].report != nil || isStepping(number) else { continue }
                let slice = min(left, Self.watchedSlice)
                let (_, exit) = try step(number, slice)
                guard exit == .limit else { return (number, exit) }
                (left, last) = (left - slice, number)
            }
            guard left < before else { break }
        }
        return last.map { ($0, .limit) }
    }

    /// Instructions of a turn.
    private static let watchedSlice: UInt64 = 64
}
