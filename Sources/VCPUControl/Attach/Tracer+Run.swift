internal import CKVM

// Running vCPUs to the next stop.
extension Tracer {
    /// - Throws: `.refused` where a vCPU cannot be stepped.
    func run(
        _ scope: RunScope, _ limit: UInt64, _ breakpoints: [UInt64]
    ) throws(TraceFailure) -> TracedStop {
        if case .one(let number) = scope {
            _ = try tracee(number)
            try quiesce()
        }
        begin(scope, limit, breakpoints)
        _ = hasWatchedChanged()
        if let index = waiting.firstIndex(where: { run.includes($0.vcpu) }) {
            return waiting.remove(at: index)
        }
        for index in tracees.indices where canStart(index) {
            if hasReached(index) { return TracedStop(vcpu: index, reason: .limit) }
            try start(index)
        }
        while true {
            let wakeup = try wait(milliseconds: isAwaiting && !run.isHelped ? 20 : 1000)
            for tracee in tracees where tracee.isOverdue { try tracee.interrupt() }
            switch wakeup {
            case .event(let index, let event):
                guard let stop = try progress(index, event) else { continue }
                if case .passed = stop.reason { return stop }
                try quiesce()
                return stop
            case .request(.interrupt):
                try quiesce()
                return TracedStop(vcpu: standing, reason: .interrupted)
            case .nothing where isAwaiting:
                run.isHelped = true
                for index in tracees.indices where canStart(index) { try start(index) }
            case .request, .nothing: continue
            }
        }
    }

    /// Whether the only vCPU that is to run is outside.
    private var isAwaiting: Bool {
        if case .one(let number) = run.scope { tracees[number].state == .outside } else { false }
    }

    /// The vCPU that a stop by the user is about: one that can be asked.
    private var standing: Int {
        if case .one(let number) = run.scope { return number }
        return tracees.firstIndex { $0.state == .held } ?? 0
    }

    private func begin(_ scope: RunScope, _ limit: UInt64, _ breakpoints: [UInt64]) {
        (run.scope, run.isHelped) = (scope, false)
        run.breakpoints = Set(breakpoints)
        for tracee in tracees { tracee.guest.forget() }
        let count = tracees.count
        run.goals += [TracedRun.Goal](repeating: .none, count: max(0, count - run.goals.count))
        // What runs since an exit that passed goes on as it was begun.
        for (index, tracee) in tracees.enumerated() where !tracee.isRunning {
            switch scope {
            case .one(index):
                let end = tracee.reported.addingReportingOverflow(limit)
                run.goals[index] = .steps(to: end.overflow ? .max : end.partialValue)
            case .one, .all: run.goals[index] = .free
            }
        }
    }

    /// Sets a held vCPU going towards its goal.
    private func start(_ index: Int) throws(TraceFailure) {
        let tracee = tracees[index]
        let rip = tracee.registers[.rip]
        if case .steps = run.goals[index] {} else { run.goals[index] = goal(of: tracee) }
        tracee.origin = nil
        switch run.goals[index] {
        case .none: try tracee.start(.off)
        case .steps(let end): try step(tracee, end - min(tracee.steps, end))
        case .compare: try step(tracee, .max)
        case .stepOff: try step(tracee, 1)
        case .probe: try tracee.startStep(tracee.lookAhead(), addresses: [rip])
        case .free: try tracee.start(GuestDebug(addresses: run.breakpoints.sorted()))
        }
    }

    private func step(_ tracee: Tracee, _ count: UInt64) throws(TraceFailure) {
        let hazard = try tracee.lookAhead()
        if hazard == nil, count > 1, run.watched.isEmpty,
            try tracee.startSteps(count, endingAt: run.breakpoints)
        {
            return
        }
        try tracee.startStep(hazard)
    }

    private func goal(of tracee: Tracee) -> TracedRun.Goal {
        guard run.watched.isEmpty else { return .compare }
        if run.breakpoints.isEmpty { return .free }
        let free = (tracee.vmmDebug ?? .off).free.count
        guard run.breakpoints.count <= free else { return .compare }
        switch run.hasHardwareBreakpoints {
        case nil: return .probe
        case false?: return .compare
        case true?: return run.breakpoints.contains(tracee.registers[.rip]) ? .stepOff : .free
        }
    }

    /// Looks what an event means for the run; where nothing, the vCPU goes on.
    private func progress(
        _ index: Int, _ event: Tracee.Event
    ) throws(TraceFailure) -> TracedStop? {
        if let stop = note(index, event) { return stop }
        // The one is inside: those that ran on for that stand still again.
        if run.scope == .one(index), tracees[index].state == .held {
            run.isHelped = false
            try quiesce()
        }
        let others = run.watched.isEmpty ? 0 : tracees.count - 1
        for next in (index - others...index).map({ ($0 + tracees.count) % tracees.count })
        where canStart(next) { try start(next) }
        return nil
    }

    /// Whether a vCPU can be set going now: where memory is watched one after the other, so that a
    /// change is known to be that of the one that has stepped.
    private func canStart(_ index: Int) -> Bool {
        tracees[index].state == .held && (run.includes(index) || helps(index))
            && (run.watched.isEmpty || !tracees.contains(where: \.isRunning))
    }

    /// Whether a vCPU runs on so that the only one that is to run comes to its `KVM_RUN`: because it is
    /// its thread's turn before, or because the other does not come by itself.
    private func helps(_ index: Int) -> Bool {
        guard isAwaiting, case .one(let number) = run.scope else { return false }
        return run.isHelped || tracees[index].thread == tracees[number].thread
    }

    /// Counts what a vCPU has done, and says whether it has to stop there.
    func note(_ index: Int, _ event: Tracee.Event) -> TracedStop? {
        guard event == .trapped else { return noteProgress(index, event) }
        _ = noteProgress(index, .entered)
        return TracedStop(vcpu: index, reason: .trapped)
    }

    private func noteProgress(_ index: Int, _ event: Tracee.Event) -> TracedStop? {
        let tracee = tracees[index]
        let rip = tracee.registers[.rip]
        func stop(_ reason: TracedStop.Reason) -> TracedStop {
            TracedStop(vcpu: index, reason: reason)
        }
        if case .passed(let kind) = event { return stop(.passed(kind)) }
        guard run.goals.indices.contains(index) else { return nil }
        let hasStepped = tracee.takeProgress()
        if run.goals[index] == .probe, event == .debug {
            run.hasHardwareBreakpoints = !hasStepped
            if !hasStepped { return nil }
        }
        // KVM may have stopped there, or the VMM's answer to an exit brought the vCPU there.
        let isLooked =
            hasStepped || event == .debug || event == .entered && run.goals[index] == .free
        if isLooked, run.breakpoints.contains(rip) { return stop(.breakpoint) }
        if hasStepped, hasWatchedChanged() { return stop(.touched) }
        return hasStepped && hasReached(index) ? stop(.limit) : nil
    }

    private func hasWatchedChanged() -> Bool {
        guard !run.watched.isEmpty, let memory = target?.memory else { return false }
        return run.watched.hasChanged { bytes in
            GuestExtent.host(of: bytes.address.rawValue, count: bytes.count, in: slots)
                .flatMap { memory.read($0, count: bytes.count) }
        }
    }

    private func hasReached(_ index: Int) -> Bool {
        if case .steps(let end) = run.goals[index] { tracees[index].steps >= end } else { false }
    }

    /// Keeps a stop for the next run; how far a vCPU has come is seen then anyway.
    func keep(_ stop: TracedStop?) {
        if let stop, stop.reason != .limit { waiting.append(stop) }
    }

    /// Stops every vCPU that runs; what it still does on the way is kept for the next run.
    func quiesce() throws(TraceFailure) {
        try seizeRunners()
        for tracee in tracees where tracee.isRunning { try tracee.interrupt() }
        while tracees.contains(where: \.isRunning) {
            guard case .event(let index, let event) = try wait() else { continue }
            keep(note(index, event))
        }
    }

    /// Waits a while for one of the vCPUs of a thread.
    ///
    /// - Returns: the one that is held; `nil` where they are outside still, or the thread is at another.
    func hold(_ own: [Tracee]) throws(TraceFailure) -> Tracee? {
        for _ in 0..<20 {
            if let held = own.first(where: { $0.state == .held }) { return held }
            if own.allSatisfy(isElsewhere) { return nil }
            guard case .event(let index, let event) = try wait(milliseconds: 10) else { continue }
            keep(note(index, event))
        }
        for tracee in own { tracee.isAway = true }
        return own.first { $0.state == .held }
    }

    /// Whether a vCPU is outside, and not about to come to its `KVM_RUN` by itself.
    func isElsewhere(_ tracee: Tracee) -> Bool {
        tracee.state == .outside && (tracee.isAway || tracee.thread == 0 || isAtHand(tracee))
    }

    /// Seizes threads of which it was not known that they run a vCPU.
    private func seizeRunners() throws(TraceFailure) {
        guard !isLeaving else { return }
        let missing = tracees.filter { $0.thread == 0 }.map(\.vcpu)
        if missing.isEmpty {
            search?.leave()
        } else {
            try search?.seize(inspector.runners(of: missing))
        }
    }
}

extension Tracee {
    var isRunning: Bool { state != .outside && state != .held }
}
