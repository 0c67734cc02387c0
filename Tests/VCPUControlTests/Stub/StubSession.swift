@testable import VCPUControl

/// A session over a machine that hides all, debugged through the stub.
struct StubSession {
    let session: Session

    init(
        _ name: String, _ setup: GHCBSetup? = nil, vcpus: Int? = nil,
        arguments: [LaunchOptions.Argument] = [], breakpoints: [String] = [], isTwin: Bool = false
    ) throws {
        try self.init(
            GuestImage.load(name), setup, vcpus: vcpus, arguments: arguments,
            breakpoints: breakpoints, isTwin: isTwin)
    }

    /// Over the emulator, where the stub alone sees private memory; or over the twin of KVM, where the
    /// firmware decrypts it.
    init(
        _ image: GuestImage, _ setup: GHCBSetup? = nil, vcpus: Int? = nil,
        arguments: [LaunchOptions.Argument] = [], breakpoints: [String] = [], isTwin: Bool = false
    ) throws {
        var options = LaunchOptions(image.defaults)
        options.setup = setup ?? options.setup
        options.vcpus = vcpus ?? options.vcpus
        if !arguments.isEmpty { options.arguments = arguments }
        options.hasDebugStub = true
        session = try Session(
            SessionConfiguration(image: image, options: options, breakpoints: breakpoints) {
                plan, _, interrupt throws(MachineError) in
                let base: any Machine =
                    isTwin
                    ? try SEVESMachine.twin(plan, interrupt: interrupt, isTraced: true)
                    : try EmulatedMachine(plan, visibility: .hardware, interrupt: interrupt)
                return try StubbedMachine(base, plan)
            })
        _ = session.next()
    }

    /// Gives a command, and takes all that it reports.
    @discardableResult
    func run(_ line: String) -> [SessionEvent] {
        session.submit(line)
        var events: [SessionEvent] = []
        while let event = session.next() { events.append(event) }
        return events
    }

    /// The text of a command's answer, or why it failed.
    func text(_ line: String) -> String {
        for event in run(line) {
            guard case .result(let result) = event else { continue }
            switch result.outcome {
            case .success(let answer): return answer.lines.joined(separator: "\n")
            case .failure(let failure): return failure.message
            }
        }
        return "no answer"
    }

    /// The stop of a command that lets the guest run.
    func stop(_ line: String) -> Stop? {
        run(line).lazy.compactMap { event in
            if case .stop(let stop) = event { stop } else { nil }
        }.first
    }

    /// A register of the current vCPU; `nil` where it is hidden.
    func register(_ register: Register) -> UInt64? {
        session.machine.registers(of: session.current).value?[register]
    }
}
