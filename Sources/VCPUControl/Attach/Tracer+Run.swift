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
        if let index = waiting.firstIndex(where: { run.includes($0.vcpu) }) {
            return waiting.remove(at: index)
        }
        for index in tracees.indices where run.includes(index) && tracees[index].state == .held {
            if hasReached(index) { return TracedStop(vcpu: index, reason: .limit) }
            try start(index)
        }
        while true {
            switch try wait() {
            case .event(let index, let event):
                guard let stop = try progress(index, event) else { continue }
                if case .passed = stop.reason { return stop }
                try quiesce()
                return stop
            case .request(.interrupt):
                try quiesce()
                return TracedStop(vcpu: standing, reason: .interrupted)
            case .request, .nothing: continue
            }
        }
    }

    /// The vCPU that a stop by the user is about: one that can be asked.
    private var standing: Int {
        if case .one(let number) = run.scope { return number }
        return tracees.firstIndex { $0.state == .held } ?? 0
    }

    private func begin(_ scope: RunScope, _ limit: UInt64, _ breakpoints: [UInt64]) {
        run.scope = scope
        run.breakpoints = Set(breakpoints)
        run.codePages = [:]
        let count = tracees.count
        run.origins += [UInt64?](repeating: nil, count: max(0, count - run.origins.count))
        run.goals += [TracedRun.Goal](repeating: .none, count: max(0, count - run.goals.count))
        // What runs since an exit that passed goes on as it was begun.
        for (index, tracee) in tracees.enumerated() where !tracee.isRunning {
            switch scope {
            case .one:
                let end = tracee.reported.addingReportingOverflow(limit)
                run.goals[index] = .steps(to: end.overflow ? .max : end.partialValue)
            case .all: run.goals[index] = .free
            }
        }
    }

    /// Sets a held vCPU going towards its goal.
    private func start(_ index: Int) throws(TraceFailure) {
        let tracee = tracees[index]
        let rip = tracee.registers[.rip]
        if case .steps = run.goals[index] {} else { run.goals[index] = goal(at: rip) }
        run.origins[index] = rip
        var debug = GuestDebug.off
        switch run.goals[index] {
        case .none: break
        case .steps, .stepOff, .compare: debug.steps = try !isHalt(rip, tracee)
        case .probe: debug = GuestDebug(steps: true, addresses: [rip])
        case .free:
            debug.addresses = run.breakpoints.sorted()
            run.origins[index] = nil
        }
        try tracee.start(debug)
    }

    private func goal(at rip: UInt64) -> TracedRun.Goal {
        if run.breakpoints.isEmpty { return .free }
        guard run.breakpoints.count <= GuestDebug.greatestCount else { return .compare }
        switch run.hasHardwareBreakpoints {
        case nil: return .probe
        case false?: return .compare
        case true?: return run.breakpoints.contains(rip) ? .stepOff : .free
        }
    }

    /// KVM without SVM or VMX loses a halt that is stepped over: such an instruction runs free.
    private func isHalt(_ rip: UInt64, _ tracee: Tracee) throws(TraceFailure) -> Bool {
        let page = rip & ~0xfff
        if run.codePages[page] == nil {
            run.codePages[page] = .some(
                try tracee.translate(page).flatMap { GuestExtent.host(of: $0, in: run.slots) })
        }
        guard let host = run.codePages[page] ?? nil else { return false }
        return tracee.memory.read(host + (rip & 0xfff), count: 1) == [0xf4]
    }

    /// Looks what an event means for the run; where nothing, the vCPU goes on.
    private func progress(
        _ index: Int, _ event: Tracee.Event
    ) throws(TraceFailure) -> TracedStop? {
        if let stop = note(index, event) { return stop }
        if tracees[index].state == .held, run.includes(index) { try start(index) }
        return nil
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
        if run.goals[index] == .probe, event == .debug {
            run.hasHardwareBreakpoints = rip == run.origins[index]
            if run.hasHardwareBreakpoints == true { return nil }
        }
        if let origin = run.origins[index], event == .debug || rip != origin {
            tracee.steps += 1
            run.origins[index] = nil
            if run.breakpoints.contains(rip) { return stop(.breakpoint) }
            if hasReached(index) { return stop(.limit) }
        } else if event == .debug || event == .entered && run.goals[index] == .free,
            run.breakpoints.contains(rip)
        {
            // KVM has stopped there, or the VMM's answer to an exit has brought the vCPU there.
            return stop(.breakpoint)
        }
        return nil
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
        for tracee in tracees where tracee.isRunning { try tracee.interrupt() }
        while tracees.contains(where: \.isRunning) {
            guard case .event(let index, let event) = try wait() else { continue }
            keep(note(index, event))
        }
    }

    /// Waits a while for a vCPU that is outside.
    ///
    /// - Returns: whether it is held.
    func hold(_ tracee: Tracee) throws(TraceFailure) -> Bool {
        for _ in 0..<20 where tracee.state != .held {
            guard case .event(let index, let event) = try wait(milliseconds: 10) else { continue }
            keep(note(index, event))
        }
        return tracee.state == .held
    }

    func handle(_ stop: ckvm_thread_stop, of index: Int) throws(TraceFailure) -> Tracee.Event? {
        try tracees[index].handle(stop)
    }
}

extension Tracee {
    var isRunning: Bool { state == .starting || state == .running || state == .settling }

    /// `KVM_TRANSLATE`; `nil` where the guest maps nothing.
    func translate(_ address: UInt64) throws(TraceFailure) -> UInt64? {
        var translation = kvm_translation()
        translation.linear_address = address
        let (result, bytes) = try ioctl(ckvm_request_translate, InjectedCode.raw(translation))
        // physical_address, and the byte `valid` behind it.
        guard result == 0, bytes.count >= 17, bytes[16] != 0 else { return nil }
        return UInt64(littleEndian: bytes[8..<16])
    }
}
