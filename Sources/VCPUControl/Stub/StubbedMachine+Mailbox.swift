/// What an exit of the wrapped machine means.
enum StubArrival {
    /// The vCPU stands in the stub.
    case stub(StubReport.Reason)
    /// The stub asked the hypervisor for something on its own behalf.
    case own
    case guest(VCPUExit)
}

// The mailbox of a vCPU: what it says, and what it is asked.
extension StubbedMachine {
    /// What the stub tells of a vCPU now; `nil` where a guest wrote over it.
    func mailbox(of number: Int) -> StubMailbox? {
        base.read(vcpus[number].mailbox, count: StubMailbox.size, as: .shared).value
            .flatMap(StubMailbox.init)
    }

    /// Runs one vCPU until something happens, and says what.
    func advance(_ number: Int) throws(MachineError) -> StubArrival {
        let (_, exit) = try base.run(.one(number), limit: Self.patience)
        return arrival(of: exit, number)
    }

    /// Tells the exits of the stub from those of the guest, and takes the report of a stop.
    func arrival(of exit: VCPUExit, _ number: Int) -> StubArrival {
        switch exit {
        case .halt:
            guard let mailbox = mailbox(of: number), mailbox.sequence != vcpus[number].sequence
            else { return .guest(exit) }
            vcpus[number].sequence = mailbox.sequence
            return halted(mailbox.state, number) ?? .guest(exit)
        case .vmgexit(let exchange):
            return isOwn(exchange, number) ? .own : .guest(.vmgexit(placed(exchange, number)))
        default: return .guest(exit)
        }
    }

    /// What a HLT of the stub's means; `nil` for one that it has not announced.
    private func halted(_ state: StubMailbox.State, _ number: Int) -> StubArrival? {
        switch state {
        case .stopped(let report):
            vcpus[number].report = report
            vcpus[number].lastTables = report.system.cr3
            vcpus[number].isShown = false
            return .stub(report.reason)
        case .answered(let ghcb):
            guard let exchange = exchange(by: ghcb, number),
                (try? base.resume(number)) != nil
            else { return nil }
            return .guest(.vmgexit(exchange))
        default: return nil
        }
    }

    /// The exchange of the stub's #VC handler: its copy of the request, and the page as it is now.
    private func exchange(by ghcb: GuestPhysicalAddress, _ number: Int) -> Exchange? {
        let shadow = base.read(
            StubMailbox.shadow(of: vcpus[number].mailbox), count: GHCBPage.size, as: .shared)
        let page = base.read(ghcb, count: GHCBPage.size, as: .shared)
        guard let request = shadow.value.flatMap(GHCBPage.init),
            let response = page.value.flatMap(GHCBPage.init)
        else { return nil }
        let info2 = response.raw(.swExitInfo2)
        let outcome: Exchange.Outcome =
            switch UInt32(truncatingIfNeeded: response.raw(.swExitInfo1)) {
            case 1: .exception(eventInjection: info2)
            case 2: .malformed(reason: info2)
            default: .ok
            }
        var exchange = Exchange(
            vcpu: number, rip: stub.vmgexit, msr: ghcb.rawValue,
            content: .page(request: request, response: response), outcome: outcome)
        exchange.rip = .known(stub.vmgexit, from: .selfReport)
        exchange.requestSource = .selfReport
        return exchange
    }

    /// Runs a vCPU to its next stop in the stub; `nil` where it goes elsewhere, and that is held.
    func awaitStub(_ number: Int) throws(MachineError) -> StubReport.Reason? {
        for _ in 0..<Self.rounds {
            switch try advance(number) {
            case .stub(let reason): return reason
            case .own: continue
            case .guest(let exit):
                held.append((number, exit))
                guard exit == .interrupted else { return nil }
            }
        }
        return nil
    }

    private func isOwn(_ exchange: Exchange, _ number: Int) -> Bool {
        exchange.msr == StubMailbox.ownGHCB(of: vcpus[number].mailbox).rawValue
            && exchange.exitCode == .nmiComplete
    }

    /// The exchange with the address of its VMGEXIT, where the stub or a step tells it.
    private func placed(_ exchange: Exchange, _ number: Int) -> Exchange {
        guard case .hidden = exchange.rip else { return exchange }
        var exchange = exchange
        if isExchanging(number) {
            exchange.rip = .known(stub.vmgexit, from: .selfReport)
        } else if let step = vcpus[number].step, case .vmgexit = step.instruction {
            exchange.rip = .known(GuestVirtualAddress(step.start), from: .selfReport)
        }
        return exchange
    }

    /// Whether the stub's #VC handler waits for the hypervisor.
    func isExchanging(_ number: Int) -> Bool {
        switch mailbox(of: number)?.state {
        case .exchanging, .answered: true
        default: false
        }
    }

    /// Writes into the mailbox.
    func post(
        _ writes: [(offset: UInt64, bytes: [UInt8])], to number: Int
    ) throws(MachineError) {
        let start = vcpus[number].mailbox.rawValue
        for (offset, bytes) in writes {
            try base.write(bytes, to: GuestPhysicalAddress(start &+ offset), as: .shared)
        }
    }

    /// Gives the guest its registers back and lets it go on when the vCPU runs next.
    func release(_ number: Int, _ command: StubCommand) throws(MachineError) {
        guard let report = vcpus[number].report else { return }
        try post(report.registerWrites + command.writes, to: number)
        try base.resume(number)
        vcpus[number].report = nil
        vcpus[number].isShown = false
    }

    /// Has a stopped vCPU carry out a command on memory.
    ///
    /// - Returns: whether it did; it cannot where nothing is mapped, or where the stub is gone.
    func ask(_ command: StubCommand, of number: Int) throws(MachineError) -> Bool {
        guard let report = vcpus[number].report else { return false }
        let isShown = vcpus[number].isShown
        try post(command.writes, to: number)
        try base.resume(number)
        vcpus[number].report = nil
        guard try awaitStub(number) != nil else { return false }
        vcpus[number].report = report
        vcpus[number].isShown = isShown
        return mailbox(of: number)?.isDone ?? false
    }

    /// A vCPU that the stub can be asked on; the one that is looked at, if it is one.
    func anyStopped(preferring number: Int? = nil) -> Int? {
        guard !isOver else { return nil }
        if let number, vcpus.indices.contains(number), vcpus[number].report != nil { return number }
        return vcpus.indices.first { vcpus[$0].report != nil }
    }
}
