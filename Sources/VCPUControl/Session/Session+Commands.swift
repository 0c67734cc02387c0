// What each command does.
extension Session {
    /// Does a command, or begins it where it lets the guest run.
    func perform(_ command: Command, _ line: String) throws(CommandFailure) {
        switch command {
        case .stepInstruction(let count):
            let (end, overflow) = machine.instructions(of: current)
                .addingReportingOverflow(count)
            try begin(.instructions(overflow ? .max : end), line)
        case .nextInstruction(let count):
            try begin(.walk(Walk(goal: .instructions(remaining: count))), line)
        case .continue(let count): try begin(.breakpoints(remaining: count), line)
        case .vmgexit(let filter, let count):
            try begin(.exchanges(filter, remaining: count), line)
        case .finish: try begin(.walk(Walk(goal: .return)), line)
        case .until(let place): try begin(.place(try address(place)), line)
        case .restart:
            answer(line, .relaunched(try relaunch(options)))
        case .setup(let setup?):
            try requireLaunch("ghcb")
            answer(line, .relaunched(try switchSetup(setup)))
        case .compare(let setups):
            try requireLaunch("compare")
            let comparison = compare(setups)
            if comparison.isInterrupted { stop(.interrupted, current) }
            answer(line, .comparison(comparison))
        case .detach:
            try detach()
            answer(line, .done)
        case .quit:
            answer(line, .done)
            close()
        default: answer(line, try answer(command))
        }
    }

    /// The answer of a command that does not let the guest run.
    private func answer(_ command: Command) throws(CommandFailure) -> CommandAnswer {
        switch command {
        case .breakAddress(let place, let condition):
            return .breakpoint(try addBreakpoint(place, condition))
        case .breakExchange(let filter, let condition):
            return .breakpoint(try addBreakpoint(.exchange(filter), condition))
        case .watch(let place, let length, let condition):
            return .breakpoint(try addWatchpoint(place, length, condition))
        case .clear(let place):
            let address = try address(place)
            let numbers = breakpoints.all.filter { $0.address == address }.map(\.number)
            guard !numbers.isEmpty else {
                throw CommandFailure("there is no breakpoint at \(address.rawValue.hex)")
            }
            return try change(numbers) { $0.remove($1) }
        case .delete(let numbers): return try change(numbers) { $0.remove($1) }
        case .enable(let numbers): return try change(numbers) { $0.setEnabled($1, true) }
        case .disable(let numbers): return try change(numbers) { $0.setEnabled($1, false) }
        case .info(let topic, let arguments): return try info(topic, arguments)
        case .examine(let format, let address): return try examine(format, address)
        case .print(let letter, let expression): return try printed(letter, expression)
        case .disassemble(let range): return try disassemble(range)
        case .setRegister(let operand, _, let value):
            return try set(operand, try evaluate(value).bits)
        case .setMemory(let unit, let address, let value):
            let bytes = try evaluate(value).bits.littleEndianBytes(unit.rawValue)
            try memory.write(bytes, to: try self.address(address))
            noteWatched()
            return .done
        case .vcpu(let number): return try choose(number)
        case .help(let word): return .text(try CommandTable.help(word))
        default: return setup
        }
    }

    func evaluate(_ expression: Expression) throws(CommandFailure) -> Expression.Value {
        try expression.evaluate(in: context(current))
    }

    func address(_ expression: Expression) throws(CommandFailure) -> GuestVirtualAddress {
        GuestVirtualAddress(try evaluate(expression).bits)
    }

    private func choose(_ number: Expression?) throws(CommandFailure) -> CommandAnswer {
        if let number {
            let value = try evaluate(number).bits
            guard value < UInt64(machine.vcpuCount) else {
                throw CommandFailure(
                    "there is no vCPU \(value); this guest has 0 to \(machine.vcpuCount - 1)")
            }
            current = Int(value)
        }
        return .vcpu(vcpuListing(current))
    }

    private func switchSetup(_ setup: GHCBSetup) throws(CommandFailure) -> Relaunch {
        try requirePreset(setup)
        var options = self.options
        options.setup = setup
        return try relaunch(options)
    }

    /// Setup `host` is for machines that can preset the GHCB MSR.
    func canHave(_ setup: GHCBSetup) -> Bool { setup != .host || machine.traits.presetsGHCB }

    func requirePreset(_ setup: GHCBSetup) throws(CommandFailure) {
        guard canHave(setup) else {
            throw CommandFailure(noPreset + "; use pool or trampoline")
        }
    }

    var noPreset: String {
        "\(machine.traits.name) cannot preset the GHCB MSR: KVM refuses it for an SEV-ES vCPU"
    }

    private func set(
        _ operand: NamedRegister, _ value: UInt64
    ) throws(CommandFailure) -> CommandAnswer {
        if case .part(let register, let shift, let bits) = operand {
            return try set(register, shift, bits, value)
        }
        do throws(MachineError) {
            switch operand {
            case .part: break
            case .system(let register):
                try machine.setSystemRegister(register, of: current, to: value)
            case .modelSpecific(let number):
                try machine.setModelSpecificRegister(number, of: current, to: value)
            }
        } catch { throw CommandFailure(error.message) }
        return .done
    }

    private func set(
        _ register: Register, _ shift: UInt8, _ bits: UInt8, _ value: UInt64
    ) throws(CommandFailure) -> CommandAnswer {
        var whole = value
        if bits < 64 {
            // As gdb does: the other bits of the register stay.
            let mask: UInt64 = ((1 << UInt64(bits)) - 1) << UInt64(shift)
            let old = try knownRegisters(current)[register]
            whole = old & ~mask | value << UInt64(shift) & mask
        }
        do throws(MachineError) {
            try machine.setRegister(register, of: current, to: whole)
        } catch { throw CommandFailure(error.message) }
        if register == .rip { lastStop = nil }
        return .done
    }
}

// Breakpoints.
extension Session {
    /// Sets a breakpoint by the arguments of the command `break`.
    func setBreakpoint(_ text: String) throws(CommandFailure) {
        switch try CommandParser.parse("break \(text)") {
        case .breakAddress(let place?, let condition): _ = try addBreakpoint(place, condition)
        case .breakExchange(let filter, let condition):
            _ = try addBreakpoint(.exchange(filter), condition)
        default: throw CommandFailure("break: a place is missing; give a symbol or an address")
        }
    }

    private func addBreakpoint(
        _ place: Expression?, _ condition: Breakpoint.Condition?
    ) throws(CommandFailure) -> Breakpoint {
        guard let place else {
            let rip = GuestVirtualAddress(try knownRegisters(current)[.rip])
            return try addBreakpoint(.address(rip, expression: nil), condition)
        }
        let kept = place.isConstant ? place : nil
        return try addBreakpoint(.address(try address(place), expression: kept), condition)
    }

    func addBreakpoint(
        _ place: Breakpoint.Place, _ condition: Breakpoint.Condition?
    ) throws(CommandFailure) -> Breakpoint {
        // A condition with a name that does not exist would only be noticed when it is too late.
        if let condition { try checkNames(condition.expression) }
        let symbol = (place.address ?? place.watchpoint?.address).flatMap(symbols.describe)
        let breakpoint = Breakpoint(
            number: breakpoints.nextNumber, place: place, symbol: symbol, condition: condition)
        let before = breakpoints
        breakpoints.add(breakpoint)
        do throws(CommandFailure) {
            try placeStops(place)
        } catch {
            breakpoints = before
            throw error
        }
        return breakpoint
    }

    private func placeStops(_ place: Breakpoint.Place) throws(CommandFailure) {
        switch place {
        case .address: try placeBreakpoints()
        case .exchange: try placeExitStops()
        case .memory: try placeWatchpoints()
        }
    }

    private func checkNames(_ expression: Expression) throws(CommandFailure) {
        switch expression {
        case .symbol(let name): _ = try context(current).address(of: name)
        case .number, .register, .history: break
        case .memory(_, let operand), .unary(_, let operand): try checkNames(operand)
        case .binary(_, let left, let right):
            try checkNames(left)
            try checkNames(right)
        }
    }

    /// Tells the machine where to stop: at breakpoints, and where the command under way wants to.
    func placeBreakpoints() throws(CommandFailure) {
        var addresses = breakpoints.addresses
        if let temporary = activity?.temporary { addresses.insert(temporary) }
        do throws(MachineError) {
            try machine.setBreakpoints(addresses)
        } catch { throw CommandFailure(error.message) }
    }

    /// Tells the machine which VMGEXITs count.
    func placeExitStops() throws(CommandFailure) {
        do throws(MachineError) {
            try machine.setExitStops(breakpoints.filters + [activity?.filter].compactMap { $0 })
        } catch { throw CommandFailure(error.message) }
    }

    /// Changes the breakpoints with these numbers; none means all.
    private func change(
        _ numbers: [Int], _ change: (inout BreakpointList, [Int]) -> Void
    ) throws(CommandFailure) -> CommandAnswer {
        for number in numbers where !breakpoints.contains(number) {
            throw CommandFailure("there is no breakpoint \(number); see info breakpoints")
        }
        change(&breakpoints, numbers.isEmpty ? breakpoints.all.map(\.number) : numbers)
        try placeBreakpoints()
        try placeExitStops()
        try placeWatchpoints()
        return .done
    }
}
