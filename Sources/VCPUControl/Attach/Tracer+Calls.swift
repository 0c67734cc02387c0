internal import CKVM

// Asking KVM about vCPUs, wherever their threads are.
extension Tracer {
    /// Asks KVM for the registers of a vCPU that has not been seen in `KVM_RUN`.
    ///
    /// - Returns: whether KVM could be asked.
    @discardableResult func lookAt(_ tracee: Tracee) throws(TraceFailure) -> Bool {
        let argument = InjectedCode.raw(kvm_regs())
        guard let (result, bytes) = try ask(tracee, ckvm_request_get_regs, argument) else {
            return false
        }
        guard result == 0, let file = RegisterFile(bytes: bytes) else { return true }
        (tracee.registers, tracee.isKnown) = (file, true)
        return true
    }

    func call(
        _ number: Int, _ request: UInt64, _ argument: [UInt8]
    ) throws(TraceFailure) -> (Int32, [UInt8]) {
        let tracee = try tracee(number)
        try quiesce()
        let isInside = try hold([tracee]) != nil
        guard isInside || !Self.changing.contains(request),
            let (result, bytes) = try ask(tracee, request, argument)
        else {
            throw .refused(
                "vCPU \(number) is outside KVM_RUN, in its VMM's own code, where KVM cannot be"
                    + " asked about it, or may be told otherwise; step it, then it is inside")
        }
        // Whatever is set may drop the trap flag that KVM keeps for stepping.
        if request == ckvm_request_set_regs || request == ckvm_request_set_sregs {
            tracee.isDebugStale = true
        }
        if result == 0, request == ckvm_request_set_regs, let file = RegisterFile(bytes: argument) {
            tracee.registers = file
        }
        return (result, bytes)
    }

    private static let changing: Set<UInt64> = [
        ckvm_request_set_regs, ckvm_request_set_sregs, ckvm_request_set_msrs,
    ]

    /// Makes an ioctl of a vCPU on its thread, or on any while its own is elsewhere than in its `KVM_RUN`:
    /// there the ioctl would wait.
    ///
    /// - Returns: `nil` where no thread can make it.
    private func ask(
        _ tracee: Tracee, _ request: UInt64, _ argument: [UInt8]
    ) throws(TraceFailure) -> (Int32, [UInt8])? {
        if tracee.state == .held { return try tracee.ioctl(request, argument) }
        guard tracee.thread != 0 || hasAllThreads, let target else { return nil }
        if let held = tracees.first(where: { $0.state == .held }) {
            return try held.ioctl(request, argument, of: tracee.vcpu)
        }
        let known = tracees.filter { $0.state == .outside && $0.thread != 0 }.map(\.thread)
        for thread in known + (search?.seized.sorted() ?? []) {
            let visitor = Tracee(tracee.vcpu, page: tracee.page, target: target)
            visitor.thread = thread
            if let answer = try visitor.visit(request, argument) { return answer }
        }
        return nil
    }
}
