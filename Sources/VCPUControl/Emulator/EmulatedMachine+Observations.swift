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
        }
    }
}
