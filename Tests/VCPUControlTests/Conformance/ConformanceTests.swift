import Testing

@testable import VCPUControl

@Suite("Conformance", .timeLimit(.minutes(5)))
struct ConformanceTests {
    /// The twin as nobody traces it: of the machines here the one that is most like hardware.
    private static let untraced = ConformanceMachine(
        "twin, untraced", seesAllExchanges: false,
        prepare: { options throws(MachineError) in options.hasDebugStub = true },
        make: { plan, _, interrupt throws(MachineError) in
            try StubbedMachine(
                SEVESMachine.twin(plan, interrupt: interrupt, isTraced: false), plan)
        })

    /// The machines that can run vCPUs at the same time, doing so.
    private static func onThreads(_ report: DoctorReport) -> [ConformanceMachine] {
        [MachineKind.hardware, .kvm].map { kind in
            let verdict = report.machines.first { $0.name == kind.name }
            return ConformanceMachine(
                kind.name + " --schedule threads", obstacle: verdict?.obstacle,
                prepare: { options throws(MachineError) in try kind.prepare(&options) },
                make: { plan, _, interrupt throws(MachineError) in
                    try kind.make(plan, interrupt: interrupt, schedule: .threads)
                })
        }
    }

    @Test("every machine that is to be had keeps the rules of all; what is left out is listed")
    func machines() {
        let report = Doctor().examine()
        let machines =
            ConformanceMachine.all(report) + Self.onThreads(report) + [Self.untraced]
        let conformance = Conformance(machines)
        let summary = conformance.run { row in
            for (machine, outcome) in zip(machines, row.outcomes) {
                switch outcome {
                case .passed: break
                case .failed(let text): Issue.record("\(row.check.id), \(machine.name): \(text)")
                case .skipped(let reason): #expect(!reason.isEmpty)
                }
            }
        }
        print(conformance.heading + summary.text)
    }

    @Test("checks have identifiers and rules of their own")
    func table() {
        let checks = ConformanceCheck.all
        #expect(Set(checks.map(\.id)).count == checks.count)
        #expect(Set(checks.map(\.rule)).count == checks.count)
    }

    @Test("a machine that lies breaks the rule that it lies about", arguments: Lie.allCases)
    func lies(lie: Lie) throws {
        let checks = ConformanceCheck.all.filter { lie.broken.contains($0.id) }
        try #require(checks.count == lie.broken.count)
        let conformance = Conformance(
            [lie.machine], checks: checks, patience: .milliseconds(300))
        _ = conformance.run { row in
            guard case .failed = row.outcomes[0] else {
                Issue.record("\(lie) is not found by \(row.check.id): \(row.outcomes[0])")
                return
            }
        }
    }

    @Test("there is no rule that cannot be broken")
    func coverage() {
        let broken = Set(Lie.allCases.flatMap(\.broken))
        #expect(ConformanceCheck.all.map(\.id).filter { !broken.contains($0) } == [])
    }

    @Test("a guest that does something else is found, and said in words")
    func differences() throws {
        func account(
            _ guest: String, _ change: (inout LaunchOptions) -> Void = { _ in }
        ) throws -> GuestAccount {
            let image = try GuestImage.load(guest)
            var options = LaunchOptions(image.defaults)
            change(&options)
            return GuestAccount(
                try ExaminedGuest(image, options, .reference, .seconds(60)))
        }
        let hello = try account("hello")
        #expect(hello.difference(from: hello, seesAll: true) == nil)
        #expect(
            try account("msr").difference(from: hello, seesAll: false) == "prints something else")
        #expect(
            try account("smoke").difference(from: hello, seesAll: true)?.hasPrefix("ends with")
                == true)
        // The C-bit is printed.
        let (cpuid, other) = (try account("cpuid"), try account("cpuid") { $0.cBit = 47 })
        #expect(other.difference(from: cpuid, seesAll: true) == "prints something else")
    }

    @Test("a machine that is not to be had is left out, one that launches nothing fails")
    func absence() {
        let report = DoctorReport(
            checks: [],
            machines: [
                .init(name: "kvm", obstacle: "no KVM"), .init(name: "sev-es", obstacle: "no SEV"),
            ],
            choice: MachineSelection(name: "emulator", reason: "", isRemarkable: false))
        let broken = ConformanceMachine(
            "broken", prepare: { _ throws(MachineError) in throw .refused("it is broken") },
            make: { plan, _, _ throws(MachineError) in try EmulatedMachine(plan) })
        let machines = ConformanceMachine.all(report).filter { $0.obstacle != nil } + [broken]
        let conformance = Conformance(machines, checks: Array(ConformanceCheck.all.prefix(1)))
        var text = ""
        let summary = conformance.run { text += conformance.text($0) }
        #expect(!summary.isGood)
        #expect(
            text == """
                -       -       FAILED  entry: \(ConformanceCheck.all[0].rule)
                    broken: launches no guest: it is broken

                """)
        #expect(
            summary.text == """

                left out:
                  kvm: all 1 checks: no KVM
                  sev-es: all 1 checks: no SEV

                0 passed, 1 failed, 2 skipped: there are failures

                """)
    }
}
