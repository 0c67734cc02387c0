/// One debugging session: a guest on a machine, commands in, events out.
///
/// Pull model: `submit(_:)` begins a command, and `next()` runs the guest until there is something
/// to report. Not thread safe; the interrupt flag may be raised by any thread.
package final class Session {
    let configuration: SessionConfiguration
    var options: LaunchOptions
    var origin: SessionOrigin
    var machine: any Machine
    let devices = Devices()
    let disassembler = Disassembler()

    var breakpoints = BreakpointList()
    var exchanges = ExchangeRecords()
    var linter: Linter
    /// What the rules have found since launch.
    var findings: [Finding] = []
    /// What was seen of the way to the guest's entry since launch.
    var setupFacts = SetupFacts()
    var states: [Snapshot.VCPU.State]
    /// The vCPU that commands are about.
    var current = 0
    /// What `print` has shown.
    var values: [Expression.Value] = []
    /// How far `compare` runs a guest that does not end.
    var comparisonBudget = RunBudget(instructions: 100_000_000, vmgexits: 200_000)
    /// What `x` goes on with.
    var examined = Examined()

    var activity: Run?
    /// What has changed of watched memory, for the stop that comes of it.
    var change: String?
    /// Instructions since launch that runs with a budget were given and used up.
    var unwatched: UInt64 = 0
    /// The reason of the last stop since launch.
    var lastStop: Stop.Reason?
    private var events = EventQueue()

    /// How the guest ended; `nil` while it can run.
    package private(set) var end: End?
    /// Whether `quit` was given: nothing more will come.
    package private(set) var isOver = false

    package var interruptFlag: InterruptFlag { configuration.interruptFlag }
    package var progressBoard: ProgressBoard { configuration.progressBoard }
    package var symbols: SymbolTable { plan?.symbols ?? SymbolTable() }

    /// Launches the guest; the first event is `.launch`.
    package convenience init(_ configuration: SessionConfiguration) throws(SessionError) {
        let (plan, machine) = try Self.launch(configuration, configuration.options)
        try self.init(configuration, .launched(plan), machine)
    }

    init(
        _ configuration: SessionConfiguration, _ origin: SessionOrigin, _ machine: any Machine
    ) throws(SessionError) {
        self.configuration = configuration
        options = configuration.options
        (self.origin, self.machine) = (origin, machine)
        linter = Linter(origin, machine.traits, isStrict: configuration.isStrict)
        states = Array(repeating: .ready, count: machine.vcpuCount)
        do throws(CommandFailure) {
            for text in configuration.breakpoints { try setBreakpoint(text) }
        } catch { throw .breakpoint(error) }
        report(.launch(head))
    }

    /// Begins a command; its events come from `next()`, a `.result` among them.
    ///
    /// Empty lines and comments do nothing.
    package func submit(_ line: String) {
        let line = ArgumentScanner(line).rest
        guard !isOver else { return fail(line, CommandFailure("the session is over")) }
        do throws(CommandFailure) {
            guard let command = try CommandParser.parse(line) else { return }
            try perform(command, line)
        } catch { fail(line, error) }
    }

    /// Runs until there is something to report.
    ///
    /// - Returns: `nil` when the command is over.
    package func next() -> SessionEvent? {
        while events.isEmpty, activity != nil { advance() }
        return events.take()
    }

    /// Ends the session; reports the end of a guest that was still alive.
    package func close(_ reason: End.Reason? = nil) {
        guard !isOver else { return }
        isOver = true
        activity = nil
        machine.leave()
        let leaving = attached == nil ? End.Reason.quit : .detached
        finish(reason ?? (lastStop == .unimplemented ? .unimplemented : leaving))
    }

    func report(_ event: SessionEvent) { events.add(event) }

    func answer(_ line: String, _ answer: CommandAnswer) {
        report(.result(CommandResult(command: line, outcome: .success(answer))))
    }

    func fail(_ line: String, _ failure: CommandFailure) {
        let run = activity
        activity = nil
        // The machine accepted these places before; if it does not now, the failure below is what
        // counts.
        if run?.temporary != nil { try? placeBreakpoints() }
        if run?.filter != nil { try? placeExitStops() }
        report(.result(CommandResult(command: line, outcome: .failure(failure))))
    }

    /// Reports the end of the guest, unless that has been done.
    func finish(_ reason: End.Reason, _ termination: Termination? = nil) {
        guard end == nil else { return }
        let end = End(
            reason: reason, termination: termination, instructions: instructionCount,
            vmgexits: exchanges.count, findings: findings.count)
        self.end = end
        report(.end(end))
    }
}

// Launching.
extension Session {
    private static func launch(
        _ configuration: SessionConfiguration, _ options: LaunchOptions
    ) throws(SessionError) -> (LaunchPlan, any Machine) {
        let plan: LaunchPlan
        do throws(GuestError) {
            plan = try LaunchPlan(configuration.image, options)
        } catch { throw .guest(error) }
        do throws(MachineError) {
            return (plan, try configuration.makeMachine(plan, options, configuration.interruptFlag))
        } catch { throw .machine(error) }
    }

    /// Launches the guest anew, breakpoints kept; a launch that fails leaves the old one.
    ///
    /// - Returns: what became of the breakpoints.
    func relaunch(_ options: LaunchOptions) throws(CommandFailure) -> Relaunch {
        try requireLaunch("restart")
        let previous = self.options.setup
        let plan: LaunchPlan
        do throws(SessionError) {
            (plan, machine) = try Self.launch(configuration, options)
        } catch { throw CommandFailure("cannot launch the guest: \(error.message)") }
        (self.options, origin) = (options, .launched(plan))
        states = Array(repeating: .ready, count: machine.vcpuCount)
        (current, end, lastStop) = (0, nil, nil)
        (exchanges, examined, unwatched) = (ExchangeRecords(), Examined(), 0)
        linter = Linter(origin, machine.traits, isStrict: configuration.isStrict)
        (findings, setupFacts) = ([], SetupFacts())
        let lost = breakpoints.relaunch(finding: found)
        try placeBreakpoints()
        try placeWatchpoints()
        report(.launch(head))
        return Relaunch(
            setup: options.setup, previous: previous, kept: breakpoints.all.count - lost.count,
            lost: lost, limit: canHave(.host) ? nil : noPreset)
    }

    /// A breakpoint's place in this launch; `nil` where it has none.
    private func found(_ place: Breakpoint.Place) -> Breakpoint.Place? {
        switch place {
        case .address(_, let expression?):
            (try? address(expression)).map { .address($0, expression: expression) }
        case .memory(let watchpoint): found(watchpoint).map { .memory($0) }
        case .address, .exchange: place
        }
    }

    /// What the machine can do, and why it was chosen.
    var traits: MachineTraits {
        var traits = machine.traits
        if let choice = configuration.machineChoice {
            traits.facts.insert(MachineFact("chosen", choice), at: 0)
        }
        return traits
    }

    /// What the record of a launch says.
    private var head: Launch {
        guard let plan else {
            return Launch(
                machine: machine.traits.name, vcpus: machine.vcpuCount,
                guest: configuration.image.name, process: attached?.process,
                protectedState: !machine.traits.seesProtectedState)
        }
        return Launch(
            machine: machine.traits.name, ghcb: options.setup.rawValue,
            ghcbVersion: options.ghcbVersion, vcpus: machine.vcpuCount,
            guest: configuration.image.name, entry: configuration.image.entry,
            protectedState: !machine.traits.seesProtectedState,
            hypervisorFault: plan.hypervisorFaults.text, facts: machine.traits.facts)
    }

    /// Instructions that all vCPUs have executed since launch.
    var instructions: UInt64 {
        (0..<machine.vcpuCount).reduce(0) { $0 &+ machine.instructions(of: $1) }
    }

    /// The same, with what the machine leaves out.
    var instructionCount: InstructionCount { count(instructions) }

    func count(_ instructions: UInt64) -> InstructionCount {
        InstructionCount(instructions, isComplete: machine.traits.countsInstructions)
    }

    /// What expressions mean on a vCPU.
    func context(_ vcpu: Int) -> VCPUContext {
        VCPUContext(machine: machine, vcpu: vcpu, symbols: symbols, values: values)
    }

    /// The memory that the current vCPU sees.
    var memory: GuestMemoryView { GuestMemoryView(machine: machine, vcpu: current) }
}

/// Events that wait to be fetched, first in, first out.
private struct EventQueue {
    private var events: [SessionEvent] = []
    private var first = 0

    var isEmpty: Bool { first == events.count }

    mutating func add(_ event: SessionEvent) { events.append(event) }

    mutating func take() -> SessionEvent? {
        guard first < events.count else { return nil }
        defer {
            first += 1
            if isEmpty { (events, first) = ([], 0) }
        }
        return events[first]
    }
}
