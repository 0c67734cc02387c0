import Testing

@testable import VCPUControl

/// Whether KVM is there, and the plans that fit it.
enum HostKVM {
    /// The position of the C-bit on this host's KVM, or why there is none.
    static let cBit = Result<Int, MachineError> { () throws(MachineError) in try KVMMachine.cBit() }

    static var isThere: Bool { (try? cBit.get()) != nil }

    /// Why tests are skipped.
    static var reason: Comment {
        if case .failure(let error) = cBit { "needs KVM: \(error.message)" } else { "KVM is there" }
    }

    static func plan(_ image: GuestImage, _ options: LaunchOptions) throws -> LaunchPlan {
        var options = options
        options.cBit = try cBit.get()
        return try LaunchPlan(image, options)
    }
}

@Suite(
    "KVM beside the emulator", .enabled(if: HostKVM.isThere, HostKVM.reason),
    .timeLimit(.minutes(5)), .serialized)
struct KVMConformanceTests {
    /// What is not compared, and why.
    static let skips: [(what: String, why: String)] = [
        ("undefined flags", "the CPU and the emulator leave others behind logic, shifts, MUL, BSF"),
        ("visibility hardware", "a plain vCPU of KVM hides nothing; refused with status 64"),
        ("setup host, hardware", "the host cannot preset the GHCB MSR of an SEV-ES vCPU"),
    ]

    /// As much as the guests need: all of it is compared.
    private static let memory: UInt64 = 2 << 20

    @Test("what is left out is listed with its reason")
    func listSkips() {
        for skip in Self.skips { print("KVM conformance leaves out \(skip.what): \(skip.why)") }
        #expect(Self.skips.allSatisfy { !$0.why.isEmpty })
    }

    @Test(
        "every guest does the same, instruction by instruction: registers, exits and memory",
        arguments: BuiltInGuest.all.map(\.name), GHCBSetup.allCases)
    func guests(name: String, setup: GHCBSetup) throws {
        for (version, vcpus) in [(1, 1), (2, 1), (2, 2)] {
            let options = LaunchOptions(
                setup: setup, ghcbVersion: version, vcpus: vcpus, memory: Self.memory,
                arguments: name == "spin" ? [.value(40)] : [])
            try Self.compare(try GuestImage.load(name), options)
        }
    }

    @Test("so does every guest with an upstream bug", arguments: BuiltInGuest.bugs.map(\.name))
    func bugs(name: String) throws {
        let guest = try #require(BuiltInGuest[name])
        var options = LaunchOptions(guest.defaults)
        if options.memory == LaunchOptions(LaunchDefaults()).memory { options.memory = Self.memory }
        try Self.compare(guest.image, options)
    }

    private static func compare(_ image: GuestImage, _ options: LaunchOptions) throws {
        let plan = try HostKVM.plan(image, options)
        let machine = try KVMMachine(plan)
        var lockstep = Lockstep(plan, try EmulatedMachine(plan), machine)
        let difference = try lockstep.run(limit: 50_000)
        #expect(difference == nil, "\(image.name), \(options.setup): \(difference?.text ?? "")")
        #expect(lockstep.instructions < 50_000, "\(image.name) has no end")
        #expect(machine.stepsOfKVM > 0)
    }

    @Test(
        "the hardware's view of a guest has the same console and the same VMGEXITs",
        arguments: BuiltInGuest.all.map(\.name), [GHCBSetup.pool, .trampoline])
    func hardware(name: String, setup: GHCBSetup) throws {
        let image = try GuestImage.load(name)
        var options = LaunchOptions(
            setup: setup, arguments: name == "spin" ? [.value(40)] : [])
        options.cBit = try HostKVM.cBit.get()
        let runs = [
            try GuestRun(image, options) { try EmulatedMachine($0, visibility: .hardware) },
            try GuestRun(image, options) { try KVMMachine($0) },
        ]
        #expect(runs[0].console == runs[1].console)
        #expect(runs[0].exchanges.map(\.summary) == runs[1].exchanges.map(\.summary))
        #expect(runs[0].exchanges.isEmpty == (name == "spin"))
    }

    @Test(
        "each upstream bug breaks the same rule, once and alone",
        arguments: BuiltInGuest.bugs.map(\.name))
    func findings(name: String) throws {
        let guest = try #require(BuiltInGuest[name])
        var options = LaunchOptions(guest.defaults)
        options.cBit = try HostKVM.cBit.get()
        let session = try Session(
            SessionConfiguration(image: guest.image, options: options) {
                plan, _, interrupt throws(MachineError) in
                try KVMMachine(plan, interrupt: interrupt)
            })
        session.submit("continue")
        while session.next() != nil {}
        #expect(session.findings.map(\.rule) == [guest.rule])
    }
}
