// Running: by steps, or freely from one stop to the next.
extension StubbedMachine {
    package func run(
        _ scope: RunScope, limit: UInt64
    ) throws(MachineError) -> (vcpu: Int, exit: VCPUExit) {
        if let exit = takeHeld(scope) { return note(exit) }
        cache = PrivateMemoryCache()
        switch scope {
        case .one(let number): return note(try step(try checked(number), limit))
        case .all:
            if !watched.isEmpty, let result = try stepInTurns(limit) { return note(result) }
            let result = try runFreely(limit)
            try takeArrivals(beside: result.vcpu)
            return note(result)
        }
    }

    /// An exit that came out of turn.
    func takeHeld(_ scope: RunScope) -> (vcpu: Int, exit: VCPUExit)? {
        let index = held.firstIndex { held in
            if case .one(let number) = scope { held.vcpu == number } else { true }
        }
        return index.map { held.remove(at: $0) }
    }

    /// Remembers what an exit means for what can be asked of its vCPU.
    private func note(_ result: (vcpu: Int, exit: VCPUExit)) -> (vcpu: Int, exit: VCPUExit) {
        let (number, exit) = result
        switch exit {
        case .limit, .breakpoint: vcpus[number].isShown = true
        case .io, .mmio: vcpus[number].isWaiting = true
        case .halt, .apResetHold: vcpus[number].isResting = true
        case .vmgexit(let exchange):
            if case .terminated = exchange.outcome { isOver = true }
        case .shutdown(let text):
            isOver = true
            return (number, .shutdown(text + shutdownHint))
        default: break
        }
        return result
    }

    /// What a planted INT3 does to a guest that has left the stub's IDT.
    private var shutdownHint: String {
        guard !stub.ownsIDT, !planted.isEmpty else { return "" }
        return "; the guest may have met a breakpoint of the debugger's behind an LIDT of its own,"
            + " where the debug stub's gates are gone"
    }

    // MARK: Steps

    func step(
        _ number: Int, _ limit: UInt64
    ) throws(MachineError) -> (vcpu: Int, exit: VCPUExit) {
        if vcpus[number].step == nil, vcpus[number].report == nil {
            if !vcpus[number].isWaiting { settle(number) }
            if let exit = takeHeld(.one(number)) { return exit }
            guard vcpus[number].report != nil else { throw notInStub(number) }
        }
        var left = limit
        while left > 0 {
            if standsOnUnseenBreakpoint(number) { return (number, .breakpoint) }
            if let exit = try stepOnce(number) { return (number, exit) }
            if hasWatchedChanged() { return (number, .touched) }
            left -= 1
        }
        return (number, .limit)
    }

    private func standsOnUnseenBreakpoint(_ number: Int) -> Bool {
        guard let rip = vcpus[number].report?.registers[.rip] else { return false }
        return breakpoints.contains(rip) && !vcpus[number].isShown
    }

    // MARK: Free runs

    private func runFreely(_ limit: UInt64) throws(MachineError) -> (vcpu: Int, exit: VCPUExit) {
        if let number = vcpus.indices.first(where: standsOnUnseenBreakpoint) {
            return (number, .breakpoint)
        }
        if let result = try stepOff() { return result }
        let writer = anyStopped()
        if decrypts || writer != nil { try placeBreakpoints(writer) }
        for number in vcpus.indices { try release(number, .resume) }
        var last = 0
        for _ in 0..<Self.rounds {
            let (number, exit) = try base.run(.all, limit: limit)
            last = number
            switch arrival(of: exit, number) {
            case .own: continue
            case .guest(let exit): return (number, exit)
            case .stub(let reason):
                if let exit = try stopped(number, reason) { return (number, exit) }
            }
        }
        return (last, .limit)
    }

    /// Takes what other vCPUs came to at the same time as the one whose exit is reported.
    private func takeArrivals(beside reported: Int) throws(MachineError) {
        for number in vcpus.indices where number != reported {
            while canSettle(number), try takeArrival(number) {}
        }
    }

    /// - Returns: whether there was one.
    private func takeArrival(_ number: Int) throws(MachineError) -> Bool {
        let (_, exit) = try base.run(.one(number), limit: 0)
        switch arrival(of: exit, number) {
        case .own: break
        case .guest(.limit), .guest(.idle): return false
        case .guest(let exit): held.append((number, exit))
        case .stub(let reason):
            // A breakpoint is reported where its vCPU is found on it, unless it is deleted before.
            guard let exit = try stopped(number, reason), exit != .breakpoint else { break }
            held.append((number, exit))
        }
        return true
    }

    /// Whether a step is under way that can come to its end: a vCPU that rests has to be woken first.
    func isStepping(_ number: Int) -> Bool {
        vcpus[number].step != nil && !vcpus[number].isResting
    }

    /// Ends the steps under way, and takes vCPUs off the breakpoints that they stand on.
    private func stepOff() throws(MachineError) -> (vcpu: Int, exit: VCPUExit)? {
        for number in vcpus.indices {
            let rip = vcpus[number].report?.registers[.rip]
            guard isStepping(number) || rip.map({ planted[$0] != nil }) == true else {
                continue
            }
            if let rip, nextInstruction(number) == .loadsIDT {
                abandoned.insert(rip)
                continue
            }
            if let exit = try stepOnce(number) { return (number, exit) }
            if standsOnUnseenBreakpoint(number) { return (number, .breakpoint) }
        }
        return nil
    }

    /// A vCPU came to the stub while it ran freely; `nil` where that is nobody's business.
    private func stopped(
        _ number: Int, _ reason: StubReport.Reason
    ) throws(MachineError) -> VCPUExit? {
        guard reason == .breakpoint, let report = vcpus[number].report else {
            try release(number, .resume)
            return nil
        }
        guard let place = try takeBack(number) else { return Self.strayBreakpoint(report) }
        if breakpoints.contains(place) { return .breakpoint }
        // It was to be removed when no vCPU was there to do it.
        try placeBreakpoints(number)
        try release(number, .resume)
        return nil
    }

    // MARK: Coming to rest

    package func settle(_ vcpu: Int) {
        guard let number = try? checked(vcpu), canSettle(number) else { return }
        do throws(MachineError) {
            if isExchanging(number) {
                try post([StubCommand.stopRequest], to: number)
            } else {
                guard stub.ownsIDT else { return }
                try base.injectNMI(number)
            }
            guard let reason = try awaitStub(number) else { return }
            let exit =
                vcpus[number].step == nil
                ? try met(number, reason) : try finishStep(number, reason)
            if let exit { held.append((number, exit)) }
        } catch {
            // What cannot be had stays hidden, with its reason.
            return
        }
    }

    /// A vCPU came to the stub between two steps; `nil` but for an INT3 of the guest's own.
    private func met(
        _ number: Int, _ reason: StubReport.Reason
    ) throws(MachineError) -> VCPUExit? {
        guard reason == .breakpoint, let report = vcpus[number].report else { return nil }
        return try takeBack(number) == nil ? Self.strayBreakpoint(report) : nil
    }

    private func canSettle(_ number: Int) -> Bool {
        let vcpu = vcpus[number]
        return vcpu.report == nil && !vcpu.isWaiting && !vcpu.isResting && !isOver
            && !held.contains { $0.vcpu == number }
    }
}
