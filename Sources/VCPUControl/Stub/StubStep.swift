/// A step that is under way.
struct StubStep {
    let instruction: SteppedInstruction
    /// Its address.
    let start: UInt64
    /// Whether the guest itself had RFLAGS.TF set.
    let hadTrap: Bool
    /// The INT3 that stops the vCPU where no trap does.
    var landing: UInt64?
    /// Whether the instruction is counted already.
    var isCounted = false

    /// RFLAGS.TF.
    static let trap: UInt64 = 0x100

    init(_ instruction: SteppedInstruction, _ registers: RegisterFile) {
        self.instruction = instruction
        start = registers[.rip]
        hadTrap = registers[.rflags] & Self.trap != 0
    }

    /// The guest's registers after the step, without the TF that is not its own.
    func mended(_ registers: RegisterFile) -> RegisterFile {
        var registers = registers
        if instruction != .loadsFlags { restoreTrap(&registers[.rflags]) }
        if instruction == .systemCall { restoreTrap(&registers[.r11]) }
        return registers
    }

    private func restoreTrap(_ flags: inout UInt64) {
        flags = flags & ~Self.trap | (hadTrap ? Self.trap : 0)
    }
}

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
        let instruction = SteppedInstruction(overlaid(report.code, at: rip))
        if instruction == .loadsIDT {
            throw .refused(
                "vCPU \(number) is about to load an IDT of the guest's own at \(rip.hex), whose"
                    + " gates are not the debug stub's: behind it nothing can be stepped; continue"
                    + " runs on without stops")
        }
        try lift(at: rip, number)
        var step = StubStep(instruction, report.registers)
        if case .vmgexit(let length) = instruction {
            step.landing = rip &+ UInt64(length)
            try plant(at: rip &+ UInt64(length), number)
        }
        try release(number, step.landing == nil ? .step : .resume)
        vcpus[number].step = step
    }

    /// Hands on an exchange that happens while a vCPU is stepped.
    ///
    /// Behind the guest's own VMGEXIT the vCPU stops first: the instruction is over.
    private func pass(_ exchange: Exchange, _ number: Int) throws(MachineError) -> VCPUExit {
        guard vcpus[number].step?.landing != nil, !isExchanging(number) else {
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
            let place = report.registers[.rip] &- 1
            if place == landing || planted[place] != nil {
                vcpus[number].report?.registers[.rip] = place
                if place != landing { exit = .breakpoint }
            } else {
                exit = Self.strayBreakpoint(place)
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
        if step.instruction == .pushFlags, !step.hadTrap {
            try clearPushedTrap(report.registers[.rsp], number)
        }
        try placeBreakpoints(number)
    }

    /// The flags that a PUSHF just pushed are the guest's.
    private func clearPushedTrap(_ stack: UInt64, _ number: Int) throws(MachineError) {
        let place = GuestVirtualAddress(stack &+ 1)
        guard let byte = try fetch(place, count: 1, number)?.first else { return }
        _ = try ask(.write(place, [byte & ~UInt8(StubStep.trap >> 8)]), of: number)
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

    static func strayBreakpoint(_ place: UInt64) -> VCPUExit {
        .shutdown(
            "#BP at \(place.hex): an INT3 of the guest's own, which has no handler for it")
    }
}
