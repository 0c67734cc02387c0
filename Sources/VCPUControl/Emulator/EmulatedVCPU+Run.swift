/// The run loop around `execute(until:standing:)`: events, traps and the reasons to stop.
extension EmulatedVCPU {
    /// Deliveries in a row without an instruction, after which a run ends so that it can be
    /// interrupted: a guest whose handler faults at its first byte would never come back.
    static let deliveryLimit = 1024

    /// Executes up to `limit` instructions.
    ///
    /// Exceptions are delivered to the guest and do not count. A vCPU that stands on a breakpoint
    /// executes that instruction first. So many deliveries in a row end the run, too.
    mutating func run(
        limit: UInt64, deliveries deliveryLimit: Int = EmulatedVCPU.deliveryLimit
    ) -> CoreExit {
        let (sum, overflows) = retired.addingReportingOverflow(limit)
        let end = overflows ? UInt64.max : sum
        memory.synchronize()
        if memory.guest.code.epoch != window.epoch { forgetCode() }
        var standing = true
        var deliveries = 0
        while retired < end && deliveries < deliveryLimit {
            let before = retired
            do throws(StopOrFault) {
                try advance(until: end, standing: standing)
            } catch {
                if let exit = resolve(error) { return exit }
            }
            if memory.guest.takeTouch() { return .touched }
            deliveries = retired == before ? deliveries + 1 : 0
            standing = false
        }
        return .limit
    }

    /// Executes until `end`, or until the state that the fast loop relies on may have changed.
    private mutating func advance(
        until end: UInt64, standing: Bool
    ) throws(StopOrFault) {
        guard flags.trap else { return try proceed(until: end, standing: standing) }
        events.suppressesTrap = false
        try proceed(until: retired &+ 1, standing: standing)
        if let trap = afterInstruction() { throw .fault(trap) }
    }

    private mutating func proceed(
        until end: UInt64, standing: Bool
    ) throws(StopOrFault) {
        let pause: Pause
        do throws(Fault) {
            pause = try execute(until: end, standing: standing)
        } catch {
            throw .fault(error)
        }
        switch pause {
        case .look: return
        case .breakpoint: throw .stop(.breakpoint)
        case .unimplemented: throw .fault(.unimplemented)
        case .vmgexit:
            retired &+= 1
            throw .stop(.vmgexit)
        case .system: try performSystem()
        }
    }

    /// Executes the system instruction at RIP, which the fast loop has decoded.
    private mutating func performSystem() throws(StopOrFault) {
        guard let slots = unsafe window.slots else { return }
        var instruction = unsafe slots[Int(rip & 0xfff)]
        if instruction.operation == .undecoded { instruction = unsafe slots[CodeCache.scratch] }
        do throws(StopOrFault) {
            try executeSystem(instruction)
        } catch {
            if case .stop(.halt) = error { retired &+= 1 }
            throw error
        }
        retired &+= 1
    }

    /// Delivers a fault, or says with what exit the run ends.
    private mutating func resolve(_ error: StopOrFault) -> CoreExit? {
        switch error {
        case .stop(let exit): exit
        case .fault(.unimplemented): .unimplemented(instructionBytes(count: lengthAtRIP))
        case .fault(let fault): deliver(fault)
        }
    }

    private var lengthAtRIP: Int {
        guard window.linear == rip & ~0xfff, let slots = unsafe window.slots else { return 15 }
        let slot = unsafe slots[Int(rip & 0xfff)]
        if slot.operation != .undecoded { return Int(slot.length) }
        return unsafe Int(slots[CodeCache.scratch].length)
    }
}

/// Why the fast loop came back without a fault.
enum Pause {
    /// The end is reached, or what the loop relies on may have changed: RFLAGS.TF, for one.
    case look
    case breakpoint
    case vmgexit
    /// RIP is on a system instruction.
    case system
    case unimplemented
}
