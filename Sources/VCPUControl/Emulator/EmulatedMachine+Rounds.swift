/// Running vCPUs at the same time, in rounds: each executes a slice, and all wait for the last.
///
/// Between two rounds nothing runs, so that all but the instructions is done as ever.
extension EmulatedMachine {
    /// - Returns: `nil` where somebody only wants to look at the guest.
    func runRounds(
        _ limit: UInt64, _ fresh: inout FreshStart
    ) -> (vcpu: Int, exit: VCPUExit)? {
        var left = limit
        while true {
            let running = (0..<vcpuCount).map { (scheduler.turn + $0) % vcpuCount }
                .filter(isRunning)
            guard let first = running.first else { return (scheduler.turn, .idle) }
            if interrupt.isAnythingWanted {
                if interrupt.take() { return (first, .interrupted) }
                if left < limit { return nil }
            }
            var numbers = Array(running.prefix(Int(clamping: left)))
            var slice = min(Scheduler.quantum, left / UInt64(max(numbers.count, 1)))
            if let hit = running.first(where: { $0 != fresh.allowed && standsOnBreakpoint($0) }) {
                // Who was shown at one goes on first, lest it be shown there again.
                guard let shown = fresh.allowed, isRunning(shown) else { return (hit, .breakpoint) }
                (numbers, slice) = ([shown], 1)
            }
            guard left > 0 else { return (first, .limit) }
            left -= min(left, runRound(numbers, limit: slice))
            fresh.allowed = nil
            scheduler.pass(of: vcpuCount)
            if let result = takeArrival(.all) { return result }
        }
    }

    /// Runs a slice of each of these vCPUs, and keeps what they have come to.
    ///
    /// - Returns: the instructions of all.
    private func runRound(_ numbers: [Int], limit: UInt64) -> UInt64 {
        let ready = numbers.filter { number in
            guard nmis[number].isDeliverable, let exit = deliverNMI(to: number) else { return true }
            arrivals.append((number, exit))
            return false
        }
        let starts = ready.map(beginSlice)
        let exits = execute(ready, limit: limit)
        var spent: UInt64 = 0
        for (index, number) in ready.enumerated() {
            spent &+= endSlice(of: number, since: starts[index])
            // A breakpoint is found by where the vCPU stands.
            guard exits[index] != .limit, exits[index] != .breakpoint else { continue }
            arrivals.append((number, exits[index]))
        }
        return spent
    }

    /// Reports what a vCPU has come to in a round, unless the VM is over since.
    func takeArrival(_ scope: RunScope) -> (vcpu: Int, exit: VCPUExit)? {
        arrivals.removeAll { !isRunning($0.vcpu) }
        let index = arrivals.firstIndex { scope == .all || scope == .one($0.vcpu) }
        guard let (number, exit) = index.map({ arrivals.remove(at: $0) }) else { return nil }
        stoodStill = nil
        return (number, report(exit, of: number))
    }
}
