/// Running vCPUs until something happens.
///
/// Unsafe: runs the vCPUs in place; numbers are checked first.
extension EmulatedMachine {
    package func run(
        _ scope: RunScope, limit: UInt64
    ) throws(MachineError) -> (vcpu: Int, exit: VCPUExit) {
        if case .one(let number) = scope { _ = try checked(number) }
        if activities.hasUnfinished, let finished = try finishExchange(scope) { return finished }
        if !arrivals.isEmpty, let result = takeArrival(scope) { return result }
        guard limit > 0 else { return (turn(of: scope), .limit) }
        var fresh = FreshStart(stoodStill: stoodStill, scope: scope)
        let runsRounds = runsAtOnce && scope == .all && !guest.isWatched
        let result =
            runsRounds ? runRounds(limit, &fresh) : runSlices(scope, limit: limit, &fresh)
        guard let result else {
            // The next run goes on as this one would have.
            stoodStill = fresh.allowed
            return (turn(of: scope), .limit)
        }
        switch result.exit {
        case .limit, .breakpoint, .interrupted: stoodStill = result.vcpu
        default: stoodStill = nil
        }
        return result
    }

    /// Executes slice by slice; the interrupt flag is looked at before each.
    ///
    /// - Returns: `nil` where somebody only wants to look at the guest.
    private func runSlices(
        _ scope: RunScope, limit: UInt64, _ fresh: inout FreshStart
    ) -> (vcpu: Int, exit: VCPUExit)? {
        var left = limit
        var current: Int
        repeat {
            guard let next = nextVCPU(scope) else { return (turn(of: scope), .idle) }
            current = next
            if interrupt.isAnythingWanted {
                if interrupt.take() { return (current, .interrupted) }
                // However often somebody looks, the guest gets on.
                if left < limit { return nil }
            }
            guard left > 0 else { break }
            if !breakpoints.isEmpty, !fresh.take(current), standsOnBreakpoint(current) {
                return (current, .breakpoint)
            }
            let (spent, exit) = runSlice(current, limit: min(left, slice(scope)))
            left -= min(left, spent)
            if case .all = scope { scheduler.spend(spent, of: vcpuCount) }
            // The breakpoint at the entry is nobody's: the vCPU steps off it with its next slice.
            if exit == .breakpoint, !standsOnBreakpoint(current) { continue }
            if exit != .limit { return (current, report(exit, of: current)) }
        } while left > 0
        return (current, .limit)
    }

    /// Runs one vCPU without looking elsewhere.
    private func runSlice(_ number: Int, limit: UInt64) -> (spent: UInt64, exit: CoreExit) {
        if nmis[number].isDeliverable, let exit = deliverNMI(to: number) { return (0, exit) }
        let before = beginSlice(of: number)
        let exit = execute(number, limit: limit)
        return (endSlice(of: number, since: before), exit)
    }

    /// - Returns: the instructions that the vCPU has executed.
    func beginSlice(of number: Int) -> UInt64 {
        let before = unsafe vcpus[number].retired
        unsafe vcpus[number].events.timeStampBase = executed &- before
        return before
    }

    /// - Returns: the instructions of the slice.
    func endSlice(of number: Int, since before: UInt64) -> UInt64 {
        let spent = unsafe vcpus[number].retired &- before
        executed &+= spent
        if unsafe !vcpus[number].events.watched.isEmpty { collectObservations(of: number) }
        if !entries.isOver { noteEntry(of: number) }
        return spent
    }

    /// Instructions until the next look at the interrupt flag or the next vCPU's turn.
    private func slice(_ scope: RunScope) -> UInt64 {
        if case .all = scope { scheduler.left } else { Scheduler.quantum }
    }

    func standsOnBreakpoint(_ number: Int) -> Bool {
        breakpoints.contains(unsafe vcpus[number].rip)
    }

    private func turn(of scope: RunScope) -> Int {
        if case .one(let number) = scope { number } else { scheduler.turn }
    }

    /// The vCPU that runs next; `nil` when none of the scope can.
    private func nextVCPU(_ scope: RunScope) -> Int? {
        if case .one(let number) = scope { return isRunning(number) ? number : nil }
        for _ in 0..<vcpuCount {
            if isRunning(scheduler.turn) { return scheduler.turn }
            scheduler.pass(of: vcpuCount)
        }
        return nil
    }

    func isRunning(_ number: Int) -> Bool {
        activities.isRunning(number)
    }

    /// Turns what the core says into an exit of the machine.
    func report(_ exit: CoreExit, of number: Int) -> VCPUExit {
        switch exit {
        case .limit: return .limit
        case .breakpoint: return .breakpoint
        case .touched: return .touched
        case .unimplemented(let bytes): return .unimplemented(bytes)
        case .halt:
            activities[number] = .halted
            return .halt
        case .shutdown(let text):
            endAll()
            return .shutdown(text)
        case .vmgexit: return exchange(of: number)
        }
    }

    /// Ends the VM.
    func endAll() {
        activities.endAll()
    }
}

/// Which vCPUs may step off a breakpoint that they stand on at the start of a run.
///
/// The one that a run names, and the one that the last run left standing; the others have not
/// been seen at their breakpoint yet.
struct FreshStart {
    var allowed: Int?

    init(stoodStill: Int?, scope: RunScope) {
        if case .one(let number) = scope {
            allowed = stoodStill == nil ? nil : number
        } else {
            allowed = stoodStill
        }
    }

    /// Whether this is the first slice of such a vCPU.
    mutating func take(_ number: Int) -> Bool {
        guard allowed == number else { return false }
        allowed = nil
        return true
    }
}
