/// One VMGEXIT as one value: what the guest asked, and what the hypervisor made of it.
package struct Exchange: Sendable, Equatable {
    /// The vCPU that executed VMGEXIT.
    package var vcpu: Int
    /// The address of the VMGEXIT instruction; hidden where SEV-ES keeps it from the host.
    package var rip: Reading<GuestVirtualAddress>
    /// `MSR_AMD64_SEV_ES_GHCB` when the guest executed VMGEXIT.
    package var msr: UInt64
    package var content: Content
    package var outcome: Outcome
    /// Where the request is from: from the page itself, or, as KVM wipes it, from elsewhere.
    package var requestSource = Provenance.direct
    /// Where the answer is from: from the page itself, or through a tracepoint of another's KVM.
    package var responseSource = Provenance.direct
    /// What the request was put together from, where the host saw the page only after KVM.
    package var sight: RequestSight?

    package enum Content: Sendable, Equatable {
        /// The page protocol: the page as the guest left it, and as it is when the guest runs on (`nil`: it never does).
        case page(request: GHCBPage, response: GHCBPage?)
        /// The MSR protocol: the value in the MSR when the guest runs on (`nil`: it never does).
        case msr(response: UInt64?)
        /// The MSR names no page that can be had: zero, or no RAM there.
        case noPage
    }

    package enum Outcome: Sendable, Equatable {
        case ok
        /// info1 = 1: the guest is asked to raise this event (EVENTINJ format).
        ///
        /// With info1 = 0 KVM injects it itself, and the machine has to: see `injectedEvent`.
        case exception(eventInjection: UInt64)
        /// info1 = 2: the request is refused for this reason (REFERENCE 3c).
        case malformed(reason: UInt64)
        /// The VM ends here.
        case terminated(Termination)
        /// KVM left everything as it was and resumed the guest.
        case unanswered
        /// The answer is not there yet: KVM gives it when the guest runs on.
        case pending

        /// The word used in the JSON records.
        package var name: String {
            switch self {
            case .ok: "ok"
            case .exception: "exception"
            case .malformed: "malformed"
            case .terminated: "terminated"
            case .unanswered: "unanswered"
            case .pending: "pending"
            }
        }
    }

    package init(
        vcpu: Int, rip: GuestVirtualAddress, msr: UInt64, content: Content, outcome: Outcome
    ) {
        self.vcpu = vcpu
        self.rip = .known(rip, from: .direct)
        self.msr = msr
        self.content = content
        self.outcome = outcome
    }
}

/// How a VM came to its end.
package enum Termination: Sendable, Equatable {
    /// The guest asked for it; REFERENCE 2, termination reasons.
    case requested(set: UInt8, code: UInt8)
    /// KVM ends the VM because of a request that it does not allow in an SEV-ES VM; the text says which.
    case refused(String)
    /// `KVM_RUN` fails with this errno; the text says why.
    case runFailed(errno: Int32, String)
    /// `KVM_EXIT_INTERNAL_ERROR` with this suberror; the text says why.
    case internalError(suberror: UInt32, String)
}
