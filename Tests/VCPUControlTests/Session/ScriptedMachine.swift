@testable import VCPUControl

/// A machine whose exits are a list; its memory is mapped identically.
final class ScriptedMachine: Machine {
    /// What one call of `run` does.
    struct Step {
        var vcpu = 0
        var executed: UInt64 = 1
        var rip: UInt64?
        var rsp: UInt64?
        var exit: VCPUExit = .limit
    }

    var traits = MachineTraits(
        name: "scripted", seesProtectedState: true, steps: true, presetsGHCB: true)
    let vcpuCount: Int
    var steps: [Step] = []
    /// Called instead of the list, where there is one.
    var program: ((ScriptedMachine, RunScope, UInt64) -> Step)?
    var files: [RegisterFile]
    var system = SystemRegisters()
    var counts: [UInt64]
    var ram = [UInt8](repeating: 0, count: 0x20_0000)
    var guestMemory = GuestMemoryMap()
    var privatePages: Set<UInt64> = []
    var unmapped: Set<UInt64> = []

    private(set) var runs: [(scope: RunScope, limit: UInt64)] = []
    private(set) var completed: [[UInt8]] = []
    /// The VMGEXITs that were asked for last, and why it does not do that, if so.
    private(set) var exitStops: [ExitFilter] = []
    var exitRefusal: String?
    private(set) var breakpoints: Set<GuestVirtualAddress> = []
    private(set) var watched: [WatchedBytes] = []

    init(vcpus: Int = 1) {
        vcpuCount = vcpus
        files = Array(repeating: RegisterFile(), count: vcpus)
        counts = Array(repeating: 0, count: vcpus)
        for index in files.indices {
            files[index][.rip] = 0x10_0000
            files[index][.rsp] = 0x18_0000
        }
    }

    func run(_ scope: RunScope, limit: UInt64) throws(MachineError) -> (vcpu: Int, exit: VCPUExit) {
        runs.append((scope, limit))
        let step: Step
        if let program {
            step = program(self, scope, limit)
        } else {
            guard !steps.isEmpty else { return (0, .idle) }
            step = steps.removeFirst()
        }
        counts[step.vcpu] += step.executed
        if let rip = step.rip { files[step.vcpu][.rip] = rip }
        if let rsp = step.rsp { files[step.vcpu][.rsp] = rsp }
        return (step.vcpu, step.exit)
    }

    func complete(_ vcpu: Int, with data: [UInt8]) throws(MachineError) { completed.append(data) }

    func instructions(of vcpu: Int) -> UInt64 { counts[vcpu] }

    private func visible<Value>(_ value: Value) -> Reading<Value> {
        traits.seesProtectedState ? .known(value, from: .direct) : .hidden(.protected)
    }

    func registers(of vcpu: Int) -> Reading<RegisterFile> { visible(files[vcpu]) }
    func systemRegisters(of vcpu: Int) -> Reading<SystemRegisters> { visible(system) }

    func setRegister(
        _ register: Register, of vcpu: Int, to value: UInt64
    ) throws(MachineError) {
        files[vcpu][register] = value
    }

    func translate(_ address: GuestVirtualAddress, on vcpu: Int) -> Reading<Translation?> {
        let page = address.rawValue & ~0xfff
        guard address.rawValue < ram.count, !unmapped.contains(page) else { return visible(nil) }
        let place = GuestPhysicalAddress(address.rawValue)
        return visible(Translation(address: place, isPrivate: privatePages.contains(page)))
    }

    func read(
        _ address: GuestPhysicalAddress, count: Int, as view: MemoryView
    ) -> Reading<[UInt8]> {
        guard address.rawValue < ram.count, ram.count - Int(address.rawValue) >= count else {
            return .hidden(.unmapped)
        }
        let start = Int(address.rawValue)
        return .known(Array(ram[start..<start + count]), from: .direct)
    }

    func write(
        _ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView
    ) throws(MachineError) {
        let start = Int(address.rawValue)
        guard start + bytes.count <= ram.count else {
            throw .noMemory(address, count: bytes.count)
        }
        ram.replaceSubrange(start..<start + bytes.count, with: bytes)
    }

    func isPrivate(_ page: GuestPhysicalAddress) -> Reading<Bool> {
        page.rawValue < ram.count
            ? .known(privatePages.contains(page.rawValue), from: .direct) : .hidden(.unmapped)
    }

    func takeObservations() -> [Observation] { [] }

    func setExitStops(_ filters: [ExitFilter]) throws(MachineError) {
        if let exitRefusal { throw .refused(exitRefusal) }
        exitStops = filters
    }

    func setWatchpoints(_ bytes: [WatchedBytes]) throws(MachineError) { watched = bytes }

    func setBreakpoints(_ addresses: Set<GuestVirtualAddress>) throws(MachineError) {
        guard traits.steps || addresses.isEmpty else { throw .refused("no breakpoints here") }
        breakpoints = addresses
    }
}

/// A session over a scripted machine, with what it reports.
struct ScriptedSession {
    let machine: ScriptedMachine
    let session: Session

    static let image = GuestImage(
        name: "scripted", entry: .init(0x10_0000),
        segments: [
            .init(
                address: .init(0x10_0000), bytes: [UInt8](repeating: 0x90, count: 4096),
                memorySize: 4096)
        ],
        symbols: SymbolTable([
            .init(name: "guest_code", address: .init(0x10_0000), size: 0x20),
            .init(name: "helper", address: .init(0x10_0100), size: 0x20),
        ]))

    init(
        vcpus: Int = 1, breakpoints: [String] = [],
        _ prepare: (ScriptedMachine) -> Void = { _ in }
    ) throws {
        let machine = ScriptedMachine(vcpus: vcpus)
        prepare(machine)
        nonisolated(unsafe) let made = machine
        let configuration = SessionConfiguration(
            image: Self.image, options: LaunchOptions(vcpus: vcpus), breakpoints: breakpoints
        ) { _, _, _ in unsafe made }
        self.machine = machine
        session = try Session(configuration)
        _ = session.next()
    }

    /// Gives a command, and takes all that it reports.
    func run(_ line: String) -> [SessionEvent] {
        session.submit(line)
        var events: [SessionEvent] = []
        while let event = session.next() { events.append(event) }
        return events
    }

    /// The answer of a command that succeeds.
    func answer(_ line: String) -> CommandAnswer? {
        guard case .result(let result) = run(line).last,
            case .success(let answer) = result.outcome
        else { return nil }
        return answer
    }

    /// The sentence of a command that fails.
    func failure(_ line: String) -> String? {
        guard case .result(let result) = run(line).last,
            case .failure(let failure) = result.outcome
        else { return nil }
        return failure.message
    }

    func stop(_ line: String) -> Stop? {
        run(line).lazy.compactMap { event in
            if case .stop(let stop) = event { stop } else { nil }
        }.first
    }
}

extension SessionEvent {
    /// The event's type as its JSON record names it, and a stop's or an end's reason.
    var name: String {
        switch self {
        case .launch: "launch"
        case .vmgexit: "vmgexit"
        case .finding: "finding"
        case .stop(let stop): "stop \(stop.reason.rawValue)"
        case .exit: "exit"
        case .console: "console"
        case .result: "result"
        case .end(let end): "end \(end.reason.rawValue)"
        }
    }
}

/// Makes exchanges of the page protocol, each with the fields that its event needs.
func pageExchange(
    code: UInt64, info1: UInt64 = 0, rax: UInt64 = 0, rcx: UInt64 = 0,
    outcome: Exchange.Outcome = .ok
) -> Exchange {
    var page = GHCBPage()
    page.setRaw(.protocolVersion, to: 2)
    page.set(.swExitCode, to: code)
    page.set(.swExitInfo1, to: info1)
    page.set(.swExitInfo2, to: 0)
    for field in NAEEvent.requiredFields(of: page) {
        switch field {
        case .rax: page.set(.rax, to: rax)
        case .rcx: page.set(.rcx, to: rcx)
        default: break
        }
    }
    var response = page
    response.clearValidBitmap()
    for field in [GHCBField.swExitInfo1, .swExitInfo2] { response.set(field, to: 0) }
    return Exchange(
        vcpu: 0, rip: .init(0x10_0004), msr: 0x100_8000,
        content: .page(request: page, response: response), outcome: outcome)
}
