// One instruction of one vCPU.
extension StubbedMachine {
    /// Executes one instruction, that under way if there is one.
    ///
    /// - Returns: what ended the run before its end; `nil` where it was stepped.
    func stepOnce(_ number: Int) throws(MachineError) -> VCPUExit? {
        if vcpus[number].step == nil { try beginStep(number) }
        for _ in 0..<Self.rounds {
            switch try advance(number) {
            case .own: continue
            case .stub(.interrupt):
                try endStep(number)
                try beginStep(number)
            case .stub(let reason): return try finishStep(number, reason)
            case .guest(.vmgexit(let exchange)): return try pass(exchange, number)
            case .guest(let exit): return exit
            }
        }
        return .limit
    }

    /// Sets out from where the vCPU stands in the stub.
    private func beginStep(_ number: Int) throws(MachineError) {
        guard let report = vcpus[number].report else { throw notInStub(number) }
        let rip = report.registers[.rip]
        let instruction = nextInstruction(number)
        if instruction == .loadsIDT {
            throw .refused(
                "vCPU \(number) is about to load an IDT of the guest's own at \(rip.hex), whose"
                    + " gates are not the debug stub's: behind it nothing can be stepped; continue"
                    + " runs on without stops")
        }
        try lift(at: rip, number)
        let landing = try landing(of: instruction, report, number)
        if let landing { try plant(at: landing, number) }
        guard vcpus[number].report != nil else { throw notInStub(number) }
        try release(number, landing == nil ? .step : .resume)
        vcpus[number].step = StubStep(instruction, report.registers, landing: landing)
    }

    /// The instruction at RIP of a vCPU that stands in the stub.
    func nextInstruction(_ number: Int) -> SteppedInstruction {
        guard let report = vcpus[number].report else { return .ordinary }
        return SteppedInstruction(overlaid(report.code, at: report.registers[.rip]))
    }

    /// Where an instruction leads that is not stepped with TF.
    private func landing(
        of instruction: SteppedInstruction, _ report: StubReport, _ number: Int
    ) throws(MachineError) -> UInt64? {
        switch instruction {
        case .ordinary, .loadsIDT: nil
        case .linear(let length), .vmgexit(let length):
            report.registers[.rip] &+ UInt64(length)
        case .systemCall: report.systemCallEntry
        case .interruptReturn:
            try fetch(GuestVirtualAddress(report.registers[.rsp]), count: 8, number)
                .map { UInt64(littleEndian: $0) }
        }
    }

    /// Hands on an exchange that happens while a vCPU is stepped.
    ///
    /// Behind the guest's own VMGEXIT the vCPU stops first: the instruction is over.
    private func pass(_ exchange: Exchange, _ number: Int) throws(MachineError) -> VCPUExit {
        guard case .vmgexit = vcpus[number].step?.instruction, !isExchanging(number) else {
            return .vmgexit(exchange)
        }
        count(number)
        if case .terminated = exchange.outcome { return .vmgexit(exchange) }
        if let reason = try awaitStub(number) {
            if let exit = try finishStep(number, reason) { held.append((number, exit)) }
        }
        return .vmgexit(exchange)
    }

    /// Takes the stop that ends a step.
    func finishStep(
        _ number: Int, _ reason: StubReport.Reason
    ) throws(MachineError) -> VCPUExit? {
        let landing = vcpus[number].step?.landing
        count(number)
        var exit: VCPUExit?
        if reason == .breakpoint, let report = vcpus[number].report {
            if let place = try takeBack(number) {
                if place != landing { exit = .breakpoint }
            } else {
                exit = Self.strayBreakpoint(report)
            }
        }
        try endStep(number)
        return exit
    }

    /// Puts back what the step changed.
    private func endStep(_ number: Int) throws(MachineError) {
        guard let step = vcpus[number].step, let report = vcpus[number].report else { return }
        vcpus[number].step = nil
        vcpus[number].report?.registers = step.mended(report.registers)
        try placeBreakpoints(number)
    }

    private func count(_ number: Int) {
        guard vcpus[number].step?.isCounted != true else { return }
        vcpus[number].step?.isCounted = true
        vcpus[number].stepped &+= 1
    }

    func notInStub(_ number: Int) -> MachineError {
        let reason =
            stub.ownsIDT
            ? "" : "; an NMI would bring it there, but the guest may have an IDT without its gate"
        return .refused(
            "vCPU \(number) is not in the debug stub, which alone can step it\(reason): let it run"
                + " to a breakpoint")
    }

    /// What becomes of a vCPU that stands behind an INT3 of the guest's own.
    static func strayBreakpoint(_ report: StubReport) -> VCPUExit {
        .shutdown(
            "#BP at \((report.registers[.rip] &- 1).hex): an INT3 of the guest's own, which has no handler for it"
        )
    }
}
