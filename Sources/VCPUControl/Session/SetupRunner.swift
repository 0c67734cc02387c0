/// Runs a guest under a setup in a machine of its own, and keeps what is to be compared.
struct SetupRunner {
    /// VMGEXITs that are kept of one run, over all vCPUs.
    private static let capacity = 10_000
    /// VMGEXITs that are kept of each vCPU at least.
    private static let leastPerVCPU = 32

    private let session: Session
    private let budget: RunBudget
    private var traces: [SetupRun.Trace]
    private var breaches: [SetupRun.Breach] = []
    private var failure: CommandFailure?
    private var lastStop: Stop?

    /// Launches the guest; nothing of the user's session is touched.
    init(
        _ configuration: SessionConfiguration, _ options: LaunchOptions, _ budget: RunBudget
    ) throws(SessionError) {
        var own = configuration
        (own.options, own.breakpoints) = (options, [])
        session = try Session(own)
        self.budget = budget
        traces = Array(
            repeating: SetupRun.Trace(exchanges: [], count: 0), count: session.machine.vcpuCount)
        _ = session.next()
    }

    /// Runs the guest to its end, or as far as the budget allows.
    mutating func run() -> SetupRun {
        let toEntry = instructionsToEntry()
        if canGoOn { go(.breakpoints(remaining: .max)) }
        let sees = session.machine.traits.seesProtectedState
        func seen<Value>(_ value: Value) -> Reading<Value> {
            sees ? .known(value, from: .direct) : .hidden(.protected)
        }
        let facts = session.setupFacts
        let lost = Register.arguments.filter(facts.lostArguments.contains)
        return SetupRun(
            instructionsToEntry: toEntry, msrWritesBeforeEntry: seen(facts.msrWritesBeforeEntry),
            msrWrites: seen(facts.msrWrites),
            lostArguments: seen(facts.entryStacks.isEmpty ? nil : lost),
            pages: pages, instructions: session.instructionCount.reading,
            breaches: breaches, ending: ending, traces: traces)
    }

    private mutating func instructionsToEntry() -> Reading<UInt64?> {
        let machine = session.machine
        guard machine.traits.steps, machine.traits.countsInstructions,
            let entry = session.plan?.entry,
            case .known(let first, let source) = machine.registers(of: 0)
        else { return .hidden(.protected) }
        if first[.rip] != entry.rawValue { go(.place(entry)) }
        let isThere = machine.registers(of: 0).value?[.rip] == entry.rawValue
        return .known(isThere ? machine.instructions(of: 0) : nil, from: source)
    }

    private var spent: UInt64 { max(session.instructions, session.unwatched) }
    private var pages: LaunchPlan.SetupPages { session.plan?.setupPages ?? .init() }

    private var canGoOn: Bool {
        session.end == nil && failure == nil && session.lastStop != .interrupted
            && session.lastStop != .unimplemented
            && !budget.isSpent(spent, session.exchanges.count)
    }

    private mutating func go(_ goal: Run.Goal) {
        do throws(CommandFailure) {
            try session.begin(goal, "", budget: budget)
        } catch { failure = error }
        while let event = session.next() { take(event) }
    }

    private mutating func take(_ event: SessionEvent) {
        switch event {
        case .vmgexit(let sequence, let exchange): keep(sequence, exchange)
        case .finding(let finding): count(finding)
        case .result(let result):
            if case .failure(let failure) = result.outcome { self.failure = failure }
        case .stop(let stop): lastStop = stop
        case .launch, .console, .end, .exit: break
        }
    }

    private mutating func keep(_ sequence: Int, _ exchange: Exchange) {
        guard traces.indices.contains(exchange.vcpu) else { return }
        traces[exchange.vcpu].count += 1
        let limit = max(Self.capacity / traces.count, Self.leastPerVCPU)
        guard traces[exchange.vcpu].exchanges.count < limit else { return }
        let places = ComparedExchange.Places(
            pages: pages, entryStacks: session.setupFacts.entryStacks)
        let compared = ComparedExchange(sequence: sequence, exchange, places)
        traces[exchange.vcpu].exchanges.append(compared)
    }

    private mutating func count(_ finding: Finding) {
        let index = breaches.firstIndex {
            $0.rule == finding.rule && $0.severity == finding.severity
        }
        if let index {
            breaches[index].count += 1
        } else {
            breaches.append(.init(rule: finding.rule, severity: finding.severity, count: 1))
        }
    }

    /// The guest's own termination is told by set and code, unless the stub gave up for it.
    private func detail(_ end: End) -> String? {
        guard case .requested(let set, let code) = end.termination else { return lastStop?.detail }
        return StubTermination(set: set, code: code).flatMap { _ in lastStop?.detail }
    }

    private var ending: SetupRun.Ending {
        if let end = session.end {
            return .guest(end.reason, end.termination, detail: detail(end))
        }
        if let failure { return .failed(failure.message) }
        switch session.lastStop {
        case .interrupted: return .interrupted
        case .unimplemented: return .guest(.unimplemented, nil, detail: lastStop?.instruction)
        default:
            return spent >= budget.instructions
                ? .instructionLimit(budget.instructions) : .exitLimit(budget.vmgexits)
        }
    }
}
