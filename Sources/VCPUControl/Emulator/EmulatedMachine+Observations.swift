/// What lint rules judge besides VMGEXITs, gathered from the vCPUs.
///
/// Unsafe: reaches the vCPUs in place.
extension EmulatedMachine {
    package func takeObservations() -> [Observation] {
        defer { observations = [] }
        // What a vCPU does without an exit is hidden from the host.
        return visibility == .full ? observations : []
    }

    /// Fetches what a vCPU has noted, in its order; beyond a bound it is dropped.
    func collectObservations(of number: Int) {
        let watched = unsafe vcpus[number].events.watched
        unsafe vcpus[number].events.watched = []
        guard observations.count < WatchedEvent.limit else { return }
        observations += watched.map { Observation($0, vcpu: number) }
    }

    /// Notes that a vCPU stands at the guest's entry for the first time.
    func noteEntry(of number: Int) {
        guard unsafe vcpus[number].rip == entries.address,
            let arrival = entries.arrive(number, unsafe vcpus[number].registerFile())
        else { return }
        observations.append(arrival)
        if entries.isOver { placeBreakpoints() }
    }

    /// Puts the breakpoints of the user, and that of the entry while it is awaited, into the code.
    func placeBreakpoints() {
        guest.code.setBreakpoints(
            entries.isOver ? breakpoints : breakpoints.union([entries.address]))
    }
}

extension Observation {
    fileprivate init(_ event: WatchedEvent, vcpu: Int) {
        switch event {
        case .ghcbMSRWrite(let rip, let value):
            self = .ghcbMSRWrite(vcpu: vcpu, rip: .init(rip), value: value)
        case .vcDelivered(let errorCode, let place):
            self = .vcDelivered(vcpu: vcpu, errorCode: errorCode, errorCodeAt: .init(place))
        case .interruptReturn(let rip, let stack, let target):
            self = .interruptReturn(
                vcpu: vcpu, rip: .init(rip), stack: .init(stack), target: .init(target))
        case .responseRead(let vcpu): self = .responseRead(vcpu: vcpu)
        }
    }
}
