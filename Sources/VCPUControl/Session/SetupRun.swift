/// What one run of a guest under one GHCB setup showed, from launch to its end.
package struct SetupRun: Sendable, Equatable {
    /// How the run came to its end.
    package enum Ending: Sendable, Equatable {
        /// The guest ended; the detail is what the reason does not say.
        case guest(End.Reason, Termination?, detail: String?)
        /// It was stopped behind so many instructions of all vCPUs.
        case instructionLimit(UInt64)
        /// It was stopped behind so many VMGEXITs.
        case exitLimit(Int)
        /// The user interrupted it.
        case interrupted
        /// The machine could not go on; the text says why.
        case failed(String)
    }

    /// A rule that the guest broke, and how often.
    package struct Breach: Sendable, Equatable {
        package var rule: LintRule
        package var severity: LintRule.Severity
        package var count: Int
    }

    /// The exchanges of one vCPU.
    package struct Trace: Sendable, Equatable {
        /// The first of them, in order.
        package var exchanges: [ComparedExchange]
        /// How many there were in all.
        package var count: Int
    }

    /// Instructions of vCPU 0 before the guest's entry; `nil`: it never stood there.
    package var instructionsToEntry: Reading<UInt64?>
    /// WRMSRs of vCPU 0 to the GHCB MSR before the guest's entry.
    package var msrWritesBeforeEntry: Reading<Int>
    /// WRMSRs of all vCPUs to the GHCB MSR.
    package var msrWrites: Reading<Int>
    /// The argument registers that some vCPU did not have at the entry; `nil`: none stood there.
    package var lostArguments: Reading<[Register]?>
    package var pages: LaunchPlan.SetupPages
    /// Instructions of all vCPUs.
    package var instructions: Reading<UInt64>
    package var breaches: [Breach]
    package var ending: Ending
    package var traces: [Trace]

    /// VMGEXITs of all vCPUs.
    package var vmgexits: Int { traces.reduce(0) { $0 + $1.count } }
    /// Whether the guest could have made more VMGEXITs.
    var isCutOff: Bool {
        if case .guest(let reason, _, _) = ending { reason == .unimplemented } else { true }
    }
}

/// Bounds of a run that nobody watches.
struct RunBudget: Sendable, Equatable {
    /// Instructions of all vCPUs since launch.
    var instructions: UInt64
    /// VMGEXITs since launch.
    var vmgexits: Int
    /// Instructions until the next look at what the machine observed: fewer than it keeps.
    static let slice: UInt64 = 1000

    func isSpent(_ instructions: UInt64, _ vmgexits: Int) -> Bool {
        instructions >= self.instructions || vmgexits >= self.vmgexits
    }
}
