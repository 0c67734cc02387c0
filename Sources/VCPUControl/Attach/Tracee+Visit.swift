internal import CKVM

// Calls on threads that are not in KVM_RUN.
extension Tracee {
    /// Below the red zone of a thread that waits, its stack is nobody's: room for an argument.
    private static let (depth, room) = (UInt64(4096), 3072)

    /// Makes an ioctl of the vCPU on a thread that waits in a system call of the VMM's own.
    ///
    /// - Returns: what the ioctl returns, or the negated errno, and the struct as KVM leaves it; `nil` where
    ///   the thread does something else.
    func visit(
        _ request: UInt64, _ argument: [UInt8]
    ) throws(TraceFailure) -> (Int32, [UInt8])? {
        guard argument.count <= Self.room, let (stop, waiting) = try interruptWaiting() else {
            return nil
        }
        vmm = waiting
        let place = waiting.rsp &- Self.depth
        guard memory.read(place, count: argument.count) != nil else {
            stops.giveBack(stop)
            return nil
        }
        try memory.write(argument, to: place)
        guard
            let value = try performInCave(
                SystemCall.ioctl, [UInt64(vcpu.descriptor), request, place])
        else { return nil }
        let left = memory.read(place, count: argument.count) ?? argument
        try resume()
        return (Int32(truncatingIfNeeded: value), left)
    }
    /// Interrupts the thread where it waits; it may be on its way there.
    private func interruptWaiting() throws(TraceFailure) -> (ThreadStop, user_regs_struct)? {
        for _ in 0..<8 {
            try checked(ckvm_interrupt(thread), "PTRACE_INTERRUPT")
            let stop = try wait()
            if let waiting = stop.waiting { return (stop, waiting) }
            let isCall = [ckvm_stop_entry, ckvm_stop_exit, ckvm_stop_interrupt].contains(stop.kind)
            guard isCall, stop.run == nil else {
                stops.giveBack(stop)
                return nil
            }
            // Its stop at a system call has taken the place of the one that was asked for.
            stop.undo()
            try resume()
        }
        return nil
    }
}
