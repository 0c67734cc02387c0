/// What an observer reports, in order.
package enum ObserveEvent: Sendable, Equatable {
    case started(ObserveStart)
    /// The VMs as they are now.
    case vms([ObservedVM])
    case vmgexit(sequence: Int, Exchange)
    case finding(Finding)
    /// What the vCPUs did since the start.
    ///
    /// Exits are counted all the time; `sampled` is the part of it in which they were timed, and
    /// places counted: less than 1 for a VMM whose exits are many.
    case activity(seconds: Double, sampled: Double, [ObservedActivity])
    /// What samples of `kvm_run` showed since the start.
    case samples(seconds: Double, [ObservedSamples])
    case ended(ObserveEnd)
}

/// The head of an observation.
package struct ObserveStart: Sendable, Equatable {
    package var process: Int32
    package var name: String
    package var vms: [ObservedVM]
    /// Why less than everything is seen, and what to do; `nil` where nothing is missing.
    package var limit: String?
}

/// What a vCPU did, with what the records call it.
package struct ObservedActivity: Sendable, Equatable {
    /// `nil` for a thread that ran no vCPU at the start, and has left no guest since.
    package var vcpu: Int?
    package var activity: VCPUActivity
}

/// How often each reason was found in a vCPU's `kvm_run`.
package struct ObservedSamples: Sendable, Equatable {
    package var vcpu: Int
    /// The most frequent first.
    package var reasons: [Count]

    package struct Count: Sendable, Equatable {
        package var reason: ExitReason
        package var count: Int
    }
}

/// The foot of an observation.
package struct ObserveEnd: Sendable, Equatable {
    package enum Reason: String, Sendable {
        /// The VMM has ended.
        case exited
        /// The user has seen enough.
        case interrupted
        /// The time that was asked for is over.
        case elapsed
    }

    package var reason: Reason
    package var vmgexits: Int
    package var findings: Int
    /// VMGEXITs of which a side did not arrive.
    package var lost: Int
}

/// Watches the VMs of a process that knows nothing of it, and stops nothing.
package protocol VMObserver: AnyObject {
    /// Waits for something to report, at most as long; an empty answer is none.
    func next(milliseconds: Int32) -> [ObserveEvent]
    var start: ObserveStart { get }
    /// What the vCPUs did so far.
    func activity() -> ObserveEvent
    /// The VMs as they are now.
    func vms() throws(ObserveError) -> [ObservedVM]
    /// Whether the process has ended.
    var isOver: Bool { get }
    /// The last exchanges, and the foot.
    func end(_ reason: ObserveEnd.Reason) -> [ObserveEvent]
}
