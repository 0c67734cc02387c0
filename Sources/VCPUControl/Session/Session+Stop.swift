// Standing still: why the guest stops, and how it ends.
extension Session {
    /// Reports a stop and the end of the command.
    func stop(
        _ reason: Stop.Reason, _ vcpu: Int, detail: String? = nil, unimplemented: [UInt8]? = nil
    ) {
        reportStop(reason, vcpu, detail, unimplemented)
        endCommand()
    }

    private func reportStop(
        _ reason: Stop.Reason, _ vcpu: Int, _ detail: String?, _ unimplemented: [UInt8]?
    ) {
        let details = [detail ?? Self.detail(reason), change].compactMap { $0 }
        change = nil
        current = vcpu
        lastStop = reason
        if states[vcpu] == .ready { machine.settle(vcpu) }
        let registers = machine.registers(of: vcpu)
        let rip = registers.map { GuestVirtualAddress($0[.rip]) }
        let bytes = unimplemented?.map { $0.hexDigits(2) }.joined(separator: " ")
        report(
            .stop(
                Stop(
                    reason: reason, vcpu: vcpu, rip: rip,
                    symbol: rip.value.flatMap(symbols.describe),
                    instruction: bytes ?? rip.value.flatMap { instruction(at: $0, vcpu)?.text },
                    registers: registers,
                    detail: details.isEmpty ? nil : details.joined(separator: "; "))))
    }

    private static func detail(_ reason: Stop.Reason) -> String? {
        reason == .unimplemented
            ? "the emulator does not know this instruction; set $rip to go on behind it" : nil
    }

    func endCommand() {
        guard let run = activity else { return }
        activity = nil
        do throws(CommandFailure) {
            if run.temporary != nil { try placeBreakpoints() }
            if run.filter != nil { try placeExitStops() }
            answer(run.command, .done)
        } catch { fail(run.command, error) }
    }

    /// Reports a stop, the end of the command and the end of the guest.
    func endGuest(
        _ stop: Stop.Reason, _ end: End.Reason, _ vcpu: Int, detail: String?,
        _ termination: Termination? = nil
    ) {
        states = states.map { $0 == .ready ? .ended : $0 }
        reportStop(stop, vcpu, detail, nil)
        endCommand()
        finish(end, termination)
    }

    /// Ends a session whose VMM is no more.
    func vanish(_ text: String) {
        states = states.map { _ in .ended }
        if let run = activity { fail(run.command, CommandFailure(text)) }
        finish(.vanished)
    }

    /// Looks what is left to run when a vCPU waits.
    func settle(_ vcpu: Int) {
        guard states.contains(.ready) else { return finishIdle(vcpu) }
        guard let run = activity, run.needsItsVCPU, run.vcpu == vcpu else { return }
        stop(.halted, vcpu, detail: "vCPU \(vcpu) is \(states[vcpu].rawValue); others can run on")
    }

    /// Ends the guest: nothing can run any more.
    func finishIdle(_ vcpu: Int) {
        if states.allSatisfy({ $0 == .returned }) {
            endCommand()
            return finish(.returned)
        }
        let counts = [Snapshot.VCPU.State.halted, .held, .returned].compactMap { state in
            let count = states.count { $0 == state }
            return count == 0 ? nil : "\(count) \(state.rawValue)"
        }
        let list = counts.isEmpty ? "none can run" : counts.joined(separator: ", ")
        endGuest(
            .halted, .halted, vcpu,
            detail: "no vCPU can go on without an interrupt: \(list)")
    }

    /// Whether a vCPU that executed HLT did so in the stub, behind its entry.
    func hasReturned(_ vcpu: Int) -> Bool {
        guard let plan, plan.vcpus.indices.contains(vcpu) else { return false }
        // Where RIP is protected, the stub's word has to do.
        guard let rip = machine.registers(of: vcpu).value?[.rip] else {
            return mailbox(of: vcpu)?.state == .returned
        }
        return rip &- 1 == plan.vcpus[vcpu].returnedAt.rawValue
    }

    /// What the stub tells of a vCPU.
    private func mailbox(of vcpu: Int) -> StubMailbox? {
        guard let plan, plan.vcpus.indices.contains(vcpu), let page = plan.vcpus[vcpu].mailbox
        else {
            return nil
        }
        return machine.read(page, count: StubMailbox.size, as: .shared).value
            .flatMap(StubMailbox.init)
    }

    /// Why a VM ends at a VMGEXIT; where the stub ended it, what it gave up on.
    func reason(_ exchange: Exchange, _ termination: Termination) -> String? {
        guard case .requested(let set, let code) = termination,
            let stub = StubTermination(set: set, code: code)
        else { return exchange.reason }
        guard case .terminated(let exitCode, let rip) = mailbox(of: exchange.vcpu)?.state else {
            return stub.sentence
        }
        let place = rip.rawValue.hex + symbols.suffix(rip.rawValue)
        let name = ExitCode(exitCode).name.map { " (\($0))" } ?? ""
        return "#VC \(exitCode.hex)\(name) at \(place): \(stub.sentence)"
    }

    /// The instruction of a command that stepped: a breakpoint there is what gdb would name.
    func arrive(_ vcpu: Int) throws(CommandFailure) {
        if try stopAtBreakpoint(vcpu) { return }
        stop(.step, vcpu)
    }

    /// A machine stopped at an address: for a breakpoint, for the command, or for nobody.
    func reachBreakpoint(_ vcpu: Int) throws(CommandFailure) {
        if try stopAtBreakpoint(vcpu) { return }
        guard let run = activity, run.vcpu == vcpu,
            let rip = machine.registers(of: vcpu).value?[.rip],
            run.temporary == GuestVirtualAddress(rip)
        else { return }
        switch run.goal {
        case .walk: try land()
        default: stop(.step, vcpu)
        }
    }

    /// - Returns: whether a breakpoint at RIP stopped the guest.
    func stopAtBreakpoint(_ vcpu: Int) throws(CommandFailure) -> Bool {
        guard let rip = machine.registers(of: vcpu).value?[.rip] else { return false }
        for breakpoint in breakpoints.enabled(at: GuestVirtualAddress(rip)) {
            guard try isHit(breakpoint, vcpu), !goesOn() else { continue }
            stop(.breakpoint, vcpu, detail: "breakpoint \(breakpoint.number)")
            return true
        }
        return false
    }

    /// Whether a hit is one of those that `continue N` goes over.
    func goesOn() -> Bool {
        guard case .breakpoints(let remaining) = activity?.goal, remaining > 1 else {
            return false
        }
        activity?.goal = .breakpoints(remaining: remaining - 1)
        return true
    }

    /// Looks at the condition, and counts the hit.
    func isHit(_ breakpoint: Breakpoint, _ vcpu: Int) throws(CommandFailure) -> Bool {
        if let condition = breakpoint.condition {
            do throws(CommandFailure) {
                let value = try condition.expression.evaluate(in: context(vcpu))
                guard value.bits != 0 else { return false }
            } catch {
                throw CommandFailure(
                    "the condition of breakpoint \(breakpoint.number), `\(condition.text)`, cannot"
                        + " be evaluated: \(error.message)")
            }
        }
        breakpoints.hit(breakpoint.number)
        return true
    }
}
