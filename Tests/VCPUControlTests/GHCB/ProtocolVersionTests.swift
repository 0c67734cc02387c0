import Testing

@testable import VCPUControl

/// Two VMs of different protocol versions, side by side.
@Suite("The protocol version is a VM's choice")
struct ProtocolVersionTests {
    private static func run(
        _ page: GHCBPage, version: Int, _ behaviour: HypervisorBehaviour = .kvm
    ) throws -> Exchange {
        let harness = GHCBHarness(version: version, behaviour: behaviour)
        var step = harness.vmgexit(page)
        for _ in 0..<64 where step.resumed == nil && step.ended == nil {
            step = harness.complete(Array(repeating: 0x5a, count: 8))
        }
        return try #require(step.resumed ?? step.ended)
    }

    private static func outcomes(
        _ page: GHCBPage, _ behaviour: HypervisorBehaviour = .kvm
    ) throws -> [String] {
        try [1, 2].map { version in
            let exchange = try run(page, version: version, behaviour)
            return "\(exchange.outcome)"
        }
    }

    @Test("both VMs live at once, and each has its own rules")
    func sideBySide() throws {
        let plans = try [1, 2].map { version in
            try LaunchPlan(
                GuestImage.load("cpuid"), LaunchOptions(ghcbVersion: version))
        }
        let machines = try plans.map { try EmulatedMachine($0) }
        #expect(
            machines.map { $0.systemRegisters(of: 0).value?.ghcb }
                == [0x0001_0001_3300_0001, 0x0002_0001_3300_0001])
        // Turn by turn, so that nothing can be kept in a place that both share.
        var ended = [false, false]
        var exchanges: [[Exchange]] = [[], []]
        while ended.contains(false) {
            for index in machines.indices where !ended[index] {
                let (vcpu, exit) = try machines[index].run(.all, limit: 100)
                switch exit {
                case .vmgexit(let exchange): exchanges[index].append(exchange)
                case .io: try machines[index].complete(vcpu, with: [])
                case .idle: ended[index] = true
                default: break
                }
            }
        }
        let leafD = exchanges.map { $0.filter { $0.exitCode == .cpuid } }
        #expect(leafD[0].count == leafD[1].count)
        #expect(exchanges[0].count == exchanges[1].count)
    }

    @Test("a guest in both at once: scratch and MMIO go by the VM that it is in")
    func accessesSideBySide() throws {
        let program = GuestProgram { guest in
            guest.begin()
            guest.set(.swScratch, 0x20_0000)
            guest.send(.mmioWrite, 0xfe00_0100, 4)
            guest.begin()
            guest.loadRAX(pageOffset: 0x800)
            guest.storeRAX(.swScratch)
            guest.mark(117)
            guest.send(.mmioRead, 0xfe00_0100, 16)
        }
        let machines = try [1, 2].map { version in
            try EmulatedMachine(
                LaunchPlan(program.image, LaunchOptions(ghcbVersion: version)))
        }
        var outcomes: [[Exchange.Outcome]] = [[], []]
        var running = [0, 1]
        while !running.isEmpty {
            for index in running {
                switch try machines[index].run(.all, limit: 3).exit {
                case .vmgexit(let exchange): outcomes[index].append(exchange.outcome)
                case .mmio(let access):
                    let count = access.isRead ? access.length : 0
                    try machines[index].complete(0, with: [UInt8](repeating: 7, count: count))
                case .limit: break
                default: running.removeAll { $0 == index }
                }
            }
        }
        #expect(outcomes[0] == [.ok, .ok])
        #expect(outcomes[1] == [.malformed(reason: 3), .malformed(reason: 5)])
    }

    @Test("scratch outside the page is for version 1, and MMIO of more than 8 bytes")
    func accesses() throws {
        let outside = GHCBPage.correct(.mmioRead, 0xfe00_0000, 8, [.swScratch: 0x20000])
        #expect(try Self.outcomes(outside) == ["ok", "malformed(reason: 3)"])
        let long = GHCBPage.correct(.mmioRead, 0xfe00_0000, 16, [.swScratch: 0x10800])
        #expect(try Self.outcomes(long) == ["ok", "malformed(reason: 5)"])
    }

    @Test("AP reset hold by the MSR is of version 2, where the specification counts")
    func resetHold() {
        let steps = [1, 2].map { version in
            GHCBHarness(version: version, behaviour: .specification).vmgexit(msr: 0x006)
        }
        #expect(steps[0].resumed?.outcome == .unanswered)
        #expect(steps[1] == .apResetHold)
        #expect(GHCBHarness(version: 1).vmgexit(msr: 0x006) == .apResetHold)
    }

    @Test("version 2 wants XSS with CPUID leaf 0xd, version 1 does not")
    func extendedState() throws {
        let page = GHCBPage.correct(.cpuid, 0, 0, [.rax: 0xd, .rcx: 1, .xcr0: 1])
        let rules = [1, 2].map { LintHarness(version: $0, xss: true).exit(page).rules }
        #expect(rules == [[], [.cpuidNeedsXSS]])
    }

    @Test("the stub passes XSS with CPUID leaf 0xd in version 2 alone")
    func stub() throws {
        // mov $0xd, %eax; xor %ecx, %ecx; push %rbx; cpuid; pop %rbx; ret
        let code: [UInt8] = [0xb8, 0xd, 0, 0, 0, 0x31, 0xc9, 0x53, 0x0f, 0xa2, 0x5b, 0xc3]
        let seen = try [1, 2].map { version -> [UInt64?] in
            let options = LaunchOptions(ghcbVersion: version)
            let run = try GuestRun(GuestImage(flat: code, name: "leaf"), options)
            return run.exchanges.compactMap(\.requestPage).map { $0.value(.xss) }
        }
        #expect(seen == [[nil], [0]])
    }

    @Test("nothing else depends on the version", arguments: HypervisorBehaviour.allCases)
    func nothingElse(behaviour: HypervisorBehaviour) throws {
        var generator = SeededGenerator(state: 4)
        for _ in 0..<2_000 {
            let page = LintPropertyTests.correct(&generator, version: 1)
            let isOfVersion2 = NAEEvent.event(ExitCode(page.raw(.swExitCode)))?.version == 2
            guard behaviour == .kvm || !isOfVersion2 else { continue }
            let first = try Self.run(page, version: 1, behaviour)
            let second = try Self.run(page, version: 2, behaviour)
            #expect(first == second)
        }
    }

    @Test("built-in guests make the same VMGEXITs in both, but for what SEV_INFO says")
    func guests() throws {
        // hv-features asks for the version first, and goes on in version 2 only.
        for guest in BuiltInGuest.all where !["spin", "hv-features"].contains(guest.name) {
            let runs = try [1, 2].map { version in
                let options = LaunchOptions(ghcbVersion: version)
                return try GuestRun(guest.image, options).exchanges.map { exchange in
                    exchange.requestPage.map {
                        "\(exchange.name) \(exchange.outcome) \(exchange.info1) \($0.raw(.rax))"
                    } ?? exchange.msr.hex
                }
            }
            #expect(runs[0] == runs[1], "\(guest.name)")
        }
    }
}
