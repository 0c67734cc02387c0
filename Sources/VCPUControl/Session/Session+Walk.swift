// nexti and finish: one instruction after the other, each with all that it calls or raises.
extension Session {
    private var walk: Walk? {
        if case .walk(let walk) = activity?.goal { walk } else { nil }
    }

    /// Looks at the instruction that comes next in a walk, before it is executed.
    func prepareWalk() throws(CommandFailure) {
        guard var walk, walk.current == nil, let vcpu = activity?.vcpu else { return }
        let registers = try knownRegisters(vcpu)
        let rip = GuestVirtualAddress(registers[.rip])
        let instruction = instruction(at: rip, vcpu)
        // What cannot be read or decoded is stepped like a jump: wherever it leads, it is over.
        let length = UInt64(instruction?.length ?? 0)
        let flow = instruction?.flow ?? .jump
        // A fault in PUSH or ENTER comes back with a lower stack than it left.
        let slack: UInt64 = flow == .call ? 0 : 16
        walk.current = .init(
            start: rip, end: GuestVirtualAddress(rip.rawValue &+ length), flow: flow,
            stepEnd: machine.instructions(of: vcpu) + 1,
            stack: registers[.rsp] < slack ? 0 : registers[.rsp] - slack)
        activity?.goal = .walk(walk)
    }

    /// Looks whether the first step of an instruction came to its end or went elsewhere.
    func progressWalk() throws(CommandFailure) {
        guard var walk, let current = walk.current, walk.landing == nil,
            let vcpu = activity?.vcpu, machine.instructions(of: vcpu) >= current.stepEnd
        else { return }
        let rip = GuestVirtualAddress(try knownRegisters(vcpu)[.rip])
        if rip == current.end || current.flow == .jump || current.flow == .return {
            return try finishInstruction(walk, current, vcpu)
        }
        // A call, an exception or the first round of REP; a breakpoint within stops as any other.
        if rip != current.start, try stopAtBreakpoint(vcpu) { return }
        walk.landing = current.end
        activity?.goal = .walk(walk)
        try placeBreakpoints()
    }

    /// Looks whether the end of the instruction is reached in its own frame, or in a recursion.
    func land() throws(CommandFailure) {
        guard var walk, let current = walk.current, let vcpu = activity?.vcpu else { return }
        guard try knownRegisters(vcpu)[.rsp] >= current.stack else { return }
        walk.landing = nil
        activity?.goal = .walk(walk)
        try placeBreakpoints()
        try finishInstruction(walk, current, vcpu)
    }

    private func finishInstruction(
        _ walk: Walk, _ instruction: Walk.Current, _ vcpu: Int
    ) throws(CommandFailure) {
        var walk = walk
        walk.current = nil
        switch walk.goal {
        case .return where instruction.flow == .return: return try arrive(vcpu)
        case .return: break
        case .instructions(let remaining):
            if remaining <= 1 { return try arrive(vcpu) }
            walk.goal = .instructions(remaining: remaining - 1)
        }
        activity?.goal = .walk(walk)
        _ = try stopAtBreakpoint(vcpu)
    }

    func knownRegisters(_ vcpu: Int) throws(CommandFailure) -> RegisterFile {
        switch machine.registers(of: vcpu) {
        case .known(let registers, _): return registers
        case .hidden(let reason):
            throw CommandFailure("the registers of vCPU \(vcpu) cannot be had: \(reason.sentence)")
        }
    }
}
