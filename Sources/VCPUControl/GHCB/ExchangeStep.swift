/// What KVM does to the page at one step of a VMGEXIT, and what a host mapping shows after it.
///
/// A host-side viewer that comes late sees less: the bitmap is gone with step 3, both information
/// words with step 4, the answer is not there before step 6. REFERENCE 1a has the numbers; step 2,
/// the tracepoint `kvm_vmgexit_enter`, leaves the page alone.
package struct ExchangeStep: Sendable, Equatable {
    package enum Event: Sendable, Equatable {
        /// 1: the guest executes VMGEXIT.
        case request
        /// 3: KVM copies the valid fields, and clears the bitmap.
        case taken
        /// 4: the request is good so far.
        case accepted
        /// 4: the request is malformed.
        case refused
        /// 5: `KVM_RUN` returns, for what the text says.
        case userspace(String)
        /// 6: the answer, just before the guest runs on.
        case resumed
    }

    package let event: Event
    /// The page after the step.
    package let page: GHCBPage

    /// The number of the step in REFERENCE 1a.
    package var number: Int {
        switch event {
        case .request: 1
        case .taken: 3
        case .accepted, .refused: 4
        case .userspace: 5
        case .resumed: 6
        }
    }

    /// What happens, without the fields that change.
    package var text: String {
        switch event {
        case .request: "the guest executes VMGEXIT"
        case .taken: "KVM copies the valid fields and clears the bitmap"
        case .accepted: "KVM accepts the request"
        case .refused: "KVM refuses the request"
        case .userspace(let reason): "KVM_RUN returns: \(reason)"
        case .resumed: "KVM answers, just before VMRUN"
        }
    }

    /// The fields that this step made valid or gave another value, by offset.
    package func changes(since last: ExchangeStep) -> [GHCBField] {
        GHCBField.allCases.filter { field in
            page.isValid(field)
                && (!last.page.isValid(field) || last.page.raw(field) != page.raw(field))
        }
    }
}

extension Exchange {
    /// What KVM 6.12 did to the page, step by step; empty for the MSR protocol.
    ///
    /// A page that the hypervisor did not take, which KVM never does, has its first step only.
    package var steps: [ExchangeStep] {
        guard case .page(let request, let response) = content else { return [] }
        var page = request
        var steps = [ExchangeStep(event: .request, page: page)]
        if outcome == .unanswered || outcome == .pending { return steps }
        page.clearValidBitmap()
        steps.append(ExchangeStep(event: .taken, page: page))
        if case .malformed(let reason) = outcome, isRefusedAtOnce(reason) {
            page.respond(info1: 2, info2: reason)
            steps.append(ExchangeStep(event: .refused, page: page))
        } else {
            page.respond(info1: 0, info2: 0)
            steps.append(ExchangeStep(event: .accepted, page: page))
        }
        if let reason = userspaceExit {
            steps.append(ExchangeStep(event: .userspace(reason), page: page))
        }
        if let response { steps.append(ExchangeStep(event: .resumed, page: response)) }
        return steps
    }

    /// Whether the first checks fail; values are looked at when the request is accepted.
    private func isRefusedAtOnce(_ reason: UInt64) -> Bool {
        switch MalformedReason(rawValue: reason) {
        case .invalidScratchArea, .invalidInput: false
        default: true
        }
    }

    /// Why `KVM_RUN` returned to userspace in the middle; `nil` where it did not.
    private var userspaceExit: String? {
        if case .terminated(let termination) = outcome { return termination.exitName }
        guard outcome == .ok else { return nil }
        switch exitCode {
        case .ioio where IOIOInfo(rawValue: info1).size > 0 && !isEmptyString:
            return "KVM_EXIT_IO"
        case .mmioRead where info2 > 0, .mmioWrite where info2 > 0: return "KVM_EXIT_MMIO"
        case .apResetHold: return "KVM_EXIT_AP_RESET_HOLD"
        default: return nil
        }
    }

    private var isEmptyString: Bool { IOIOInfo(rawValue: info1).isString && info2 == 0 }
}

extension Termination {
    /// How userspace hears of it.
    fileprivate var exitName: String {
        switch self {
        case .requested, .refused: "KVM_EXIT_SYSTEM_EVENT, KVM_SYSTEM_EVENT_SEV_TERM"
        case .runFailed(let errno, _): "-1, errno \(errno)"
        case .internalError(let suberror, _): "KVM_EXIT_INTERNAL_ERROR, suberror \(suberror)"
        }
    }
}

extension GHCBPage {
    /// Writes the two result words, with their valid bits.
    mutating func respond(info1: UInt64, info2: UInt64) {
        set(.swExitInfo1, to: info1)
        set(.swExitInfo2, to: info2)
    }
}
