/// An NMI that waits for its vCPU, and whether KVM lets it through.
struct PendingNMI {
    var isPending = false
    /// From the delivery of one to the guest's NMI complete event: KVM cannot see its IRET.
    var isMasked = false

    var isDeliverable: Bool { isPending && !isMasked }
}

/// Waking vCPUs and interrupting them, from outside.
///
/// Unsafe: reaches the vCPUs in place; numbers are checked first.
extension EmulatedMachine {
    package func resume(_ vcpu: Int) throws(MachineError) {
        let number = try checked(vcpu)
        guard case .halted = activities[number] else {
            throw .refused("vCPU \(vcpu) has not executed HLT: there is nothing to end")
        }
        activities[number] = .running
    }

    package func injectNMI(_ vcpu: Int) throws(MachineError) {
        let number = try checked(vcpu)
        if case .ended = activities[number] {
            throw .refused("vCPU \(vcpu) is at its end: no NMI can reach it")
        }
        nmis[number].isPending = true
        if case .halted = activities[number], nmis[number].isDeliverable {
            activities[number] = .running
        }
    }

    /// Enters the guest's NMI handler; the exit where there is none that can be entered.
    func deliverNMI(to number: Int) -> CoreExit? {
        nmis[number] = PendingNMI(isMasked: true)
        return unsafe vcpus[number].deliver(.nonMaskableInterrupt)
    }
}

extension Fault {
    /// Delivered as traps are: between two instructions.
    static let nonMaskableInterrupt = Fault(vector: 2, errorCode: nil, isTrap: true)
}
