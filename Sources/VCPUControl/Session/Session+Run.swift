// Running the guest: from one exit of the machine to the next.
extension Session {
    /// Begins a command that lets the guest run.
    func begin(
        _ goal: Run.Goal, _ line: String, budget: RunBudget? = nil
    ) throws(CommandFailure) {
        let run = Run(
            command: line, vcpu: current, done: machine.instructions(of: current), goal: goal,
            budget: budget)
        if let end {
            let remedy = attached == nil ? "; `restart` launches it anew" : ""
            throw CommandFailure("the guest has ended (\(end.reason.rawValue))\(remedy)")
        }
        if run.needsItsVCPU || run.temporary != nil {
            try requireStepping()
            guard states[current] == .ready else {
                throw CommandFailure(
                    "vCPU \(current) cannot run: it is \(states[current].rawValue); choose another"
                        + " with vcpu N, or continue")
            }
        }
        activity = run
        if run.temporary != nil { try placeBreakpoints() }
        guard run.filter != nil else { return }
        do throws(CommandFailure) { try placeExitStops() } catch {
            activity = nil
            throw error
        }
    }

    func requireStepping() throws(CommandFailure) {
        guard !machine.traits.steps else { return }
        throw CommandFailure(
            "\(machine.traits.name) cannot step a vCPU or stop it at an address: SEV-ES hides its"
                + " registers and debug state; use vmgexit, or launch with --visibility full")
    }

    /// Runs the machine to its next exit.
    func advance() {
        guard let line = activity?.command else { return }
        if interruptFlag.take() { return stop(.interrupted, current) }
        if interruptFlag.takeLook() { postProgress() }
        let spent = max(instructions, unwatched)
        if activity?.budget?.isSpent(spent, exchanges.count) ?? false { return endCommand() }
        do throws(CommandFailure) {
            try prepareWalk()
            guard let run = activity else { return }
            let (vcpu, exit) = try runMachine(run)
            try handle(exit, of: vcpu)
        } catch { fail(line, error) }
    }

    private func runMachine(
        _ run: Run
    ) throws(CommandFailure) -> (vcpu: Int, exit: VCPUExit) {
        do throws(MachineError) {
            let limit = run.budget == nil ? UInt64(Int64.max) : RunBudget.slice
            guard run.isAlone else { return try machine.run(.all, limit: limit) }
            return try machine.run(.one(run.vcpu), limit: self.limit(run))
        } catch { throw CommandFailure(error.message) }
    }

    /// At least one: an access that was completed is reported before the next instruction.
    private func limit(_ run: Run) -> UInt64 {
        guard case .instructions(let end) = run.goal else { return 1 }
        let done = machine.instructions(of: run.vcpu)
        return end > done ? end - done : 1
    }

    private func handle(_ exit: VCPUExit, of vcpu: Int) throws(CommandFailure) {
        for observation in machine.takeObservations() { lint(observation) }
        change = try takeChange(vcpu)
        switch exit {
        case .touched: break
        case .limit where change != nil: break
        case .limit:
            if activity?.budget != nil, activity?.isAlone == false { unwatched &+= RunBudget.slice }
            try progress()
        case .breakpoint: try reachBreakpoint(vcpu)
        case .interrupted:
            _ = interruptFlag.take()
            stop(.interrupted, vcpu)
        case .vmgexit(let exchange): try record(exchange)
        case .io(let access): try serve(devices.answer(access), vcpu)
        case .mmio(let access): try serve(devices.answer(access), vcpu)
        case .halt:
            states[vcpu] = hasReturned(vcpu) ? .returned : .halted
            lintHalt(of: vcpu)
            settle(vcpu)
        case .apResetHold:
            states[vcpu] = .held
            settle(vcpu)
        case .shutdown(let text): endGuest(.shutdown, .shutdown, vcpu, detail: text)
        case .unimplemented(let bytes): stop(.unimplemented, vcpu, unimplemented: bytes)
        case .idle: finishIdle(vcpu)
        case .passed(let exit): report(.exit(exit))
        case .accessed(let access): try reach(access)
        case .vanished(let text): vanish(text)
        case .unknown(let number):
            throw CommandFailure(
                "KVM_RUN of vCPU \(vcpu) returned exit reason \(number), which sevdbg does not"
                    + " know; info exits shows what came before")
        }
        if change != nil, activity != nil { return stop(.watchpoint, vcpu) }
        if exit == .touched { try progress() }
    }

    /// Looks whether the goal is reached; the vCPU of the run may have executed something.
    func progress() throws(CommandFailure) {
        guard let run = activity else { return }
        switch run.goal {
        case .instructions(let end) where machine.instructions(of: run.vcpu) >= end:
            try arrive(run.vcpu)
        case .walk: try progressWalk()
        default: break
        }
    }

    private func record(_ exchange: Exchange) throws(CommandFailure) {
        let sequence = exchanges.record(exchange)
        report(.vmgexit(sequence: sequence, exchange))
        lint(.exchange(sequence: sequence, exchange, lintContext(exchange)))
        if case .terminated(let termination) = exchange.outcome {
            return endGuest(
                .terminated, .terminated, exchange.vcpu, detail: reason(exchange, termination),
                termination)
        }
        if reachedExchange(exchange) { return stop(.vmgexit, exchange.vcpu) }
        for breakpoint in breakpoints.enabled(matching: exchange) {
            guard try isHit(breakpoint, exchange.vcpu) else { continue }
            return stop(.vmgexit, exchange.vcpu, detail: "breakpoint \(breakpoint.number)")
        }
        try progress()
    }

    private func reachedExchange(_ exchange: Exchange) -> Bool {
        guard case .exchanges(let filter, let remaining) = activity?.goal,
            filter.matches(exchange)
        else { return false }
        return countDown(filter, remaining)
    }

    private func countDown(_ filter: ExitFilter, _ remaining: UInt64) -> Bool {
        activity?.goal = .exchanges(filter, remaining: remaining - 1)
        return remaining <= 1
    }

    /// An access of a guest without SEV-ES, where a VMGEXIT was waited for.
    private func reach(_ access: PassedExit) throws(CommandFailure) {
        let (kind, vcpu) = (access.kind, access.vcpu)
        if case .exchanges(let filter, let remaining) = activity?.goal, filter.matches(kind),
            countDown(filter, remaining)
        {
            return stop(.breakpoint, vcpu, detail: kind.text)
        }
        for breakpoint in breakpoints.enabled(matching: kind) {
            guard try isHit(breakpoint, vcpu) else { continue }
            return stop(
                .breakpoint, vcpu, detail: "breakpoint \(breakpoint.number), \(kind.text)")
        }
        try progress()
    }

    private func serve(_ answer: Devices.Answer, _ vcpu: Int) throws(CommandFailure) {
        switch answer.effect {
        case .console(let bytes): report(.console(vcpu: vcpu, bytes: bytes))
        case .ucall(let address):
            report(.console(vcpu: vcpu, bytes: ucall(GuestVirtualAddress(address), vcpu)))
        case nil: break
        }
        do throws(MachineError) {
            try machine.complete(vcpu, with: answer.data)
        } catch { throw CommandFailure(error.message) }
    }
}

// The selftests' ucall.
extension Session {
    /// What the console shows of a ucall: the guest's text, or why it cannot be read.
    private func ucall(_ address: GuestVirtualAddress, _ vcpu: Int) -> [UInt8] {
        let place = "sevdbg: ucall at \(address.rawValue.hex) "
        switch hostBytes(address, Ucall.size, vcpu) {
        case .hidden(.protected):
            return Array(
                (place + "lies in private memory, which the host sees scrambled; put it into"
                    + " .shared\n").utf8)
        case .hidden(let reason):
            return Array((place + "cannot be read: \(reason.sentence)\n").utf8)
        case .known(let bytes, _):
            guard let call = Ucall(bytes) else {
                return Array((place + "reaches across the end of its page\n").utf8)
            }
            return call.console { string in
                self.hostBytes(GuestVirtualAddress(string), 256, vcpu).value
                    .map { Array($0.prefix { $0 != 0 }) }
            }
        }
    }

    private func physical(_ address: GuestVirtualAddress, _ vcpu: Int) -> GuestPhysicalAddress {
        let translation = machine.translate(address, on: vcpu).value.flatMap { $0 }
        return translation?.address ?? GuestPhysicalAddress(address.rawValue)
    }

    /// The bytes as the host sees them, at most to the end of the page; hidden where it is private.
    private func hostBytes(
        _ address: GuestVirtualAddress, _ count: Int, _ vcpu: Int
    ) -> Reading<[UInt8]> {
        let start = physical(address, vcpu)
        if machine.isPrivate(start.page).value == true { return .hidden(.protected) }
        return machine.read(start, count: min(count, 4096 - start.offset), as: .shared)
    }
}
