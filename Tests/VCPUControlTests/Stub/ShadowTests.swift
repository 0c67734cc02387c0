import Testing

@testable import VCPUControl

@Suite("Through the stub: the shadow of the GHCB")
struct ShadowTests {
    @Test("where KVM tells nothing, the stub tells of its exchanges, request and answer")
    func exchanges() throws {
        let image = try GuestImage.load("cpuid")
        var options = LaunchOptions(image.defaults)
        let direct = DrivenMachine(try EmulatedMachine(LaunchPlan(image, options)))
        options.hasDebugStub = true
        let plan = try LaunchPlan(image, options)
        let silent = SilentMachine(try EmulatedMachine(plan, visibility: .hardware))
        let stubbed = DrivenMachine(try StubbedMachine(silent, plan))
        try direct.run()
        try stubbed.run()
        // The guest's own VMGEXITs go by unseen; those of the #VC handler are as they truly were.
        let handlers = try #require(plan.debugStub).handlers
        let own = direct.exchanges.filter { exchange in
            exchange.rip.value.map { handlers.contains($0.rawValue) } ?? false
        }
        #expect(!own.isEmpty)
        #expect(own.map(\.withoutPlace) == stubbed.exchanges.map(\.withoutPlace))
        #expect(stubbed.exchanges.allSatisfy { $0.requestSource == .selfReport })
        #expect(direct.console == stubbed.console && stubbed.end == "halt")
    }

    @Test("at a port access KVM has wiped the page, and the shadow still has the request")
    func wiped() throws {
        let image = try GuestImage.load("ioio")
        var options = LaunchOptions(image.defaults)
        options.hasDebugStub = true
        let plan = try LaunchPlan(image, options)
        let base = try EmulatedMachine(plan, visibility: .hardware)
        let machine = try StubbedMachine(base, plan)
        let mailbox = try #require(plan.vcpus[0].mailbox)
        var seen = 0
        for _ in 0..<200 {
            let (vcpu, exit) = try machine.run(.all, limit: 1_000_000)
            guard case .io(let access) = exit else { continue }
            defer { try? machine.complete(vcpu, with: Devices().answer(access).data) }
            guard machine.isExchanging(0) else { continue }
            let ghcb = GuestPhysicalAddress(plan.setupPages.ghcbs.lowerBound)
            let page = try #require(
                base.read(ghcb, count: 4096, as: .shared).value.flatMap(GHCBPage.init))
            let shadow = try #require(
                base.read(StubMailbox.shadow(of: mailbox), count: 4096, as: .shared).value
                    .flatMap(GHCBPage.init))
            #expect(page.value(.swExitCode) == nil && page.value(.swExitInfo1) == 0)
            #expect(shadow.value(.swExitCode) == 0x7b)
            #expect((shadow.value(.swExitInfo1) ?? 0) >> 16 == UInt64(access.port))
            seen += 1
        }
        #expect(seen > 3)
    }
}
