import Testing

@testable import VCPUControl

/// The guests that reproduce upstream bugs: each makes its one mistake and no other.
@Suite("Bug guests")
struct BugGuestTests {
    /// What the rules find while a guest runs to its end, and how that came.
    private static func run(
        _ image: GuestImage, _ options: LaunchOptions, seed: UInt64 = 0
    ) throws -> (findings: [Finding], end: End) {
        let session = try Session(
            SessionConfiguration(image: image, options: options) {
                plan, _, interrupt throws(MachineError) in
                try EmulatedMachine(plan, interrupt: interrupt, seed: seed)
            })
        while session.end == nil, session.lastStop != .unimplemented {
            session.submit("continue")
            while session.next() != nil {}
        }
        return (session.findings, try #require(session.end))
    }

    /// The setups that a guest makes sense under.
    private static func setups(_ guest: BuiltInGuest) -> [GHCBSetup] {
        guest.defaults.isBoundToSetup ? [guest.defaults.setup] : GHCBSetup.allCases
    }

    private static func guest(_ name: String) throws -> BuiltInGuest {
        try #require(BuiltInGuest[name])
    }

    @Test(
        "each breaks its rule, once, and no other, under each setup, version and hypervisor",
        arguments: BuiltInGuest.bugs.map(\.name))
    func finding(name: String) throws {
        let guest = try Self.guest(name)
        let rule = try #require(guest.rule)
        for setup in Self.setups(guest) {
            for (version, hypervisor) in [(1, .kvm), (2, .kvm), (2, .specification)]
                as [(Int, HypervisorBehaviour)]
            {
                var options = LaunchOptions(guest.defaults, ghcbVersion: version)
                (options.setup, options.hypervisor) = (setup, hypervisor)
                let found = try Self.run(guest.image, options).findings
                #expect(found.map(\.rule) == [rule], "\(setup), \(version): \(found.map(\.line))")
                #expect(found.map(\.severity) == [.error])
            }
        }
    }

    @Test("names are unique, in the form bug-…, and the text is one line")
    func table() {
        let all = BuiltInGuest.all + BuiltInGuest.bugs
        #expect(Set(all.map(\.name)).count == all.count)
        for guest in BuiltInGuest.bugs {
            #expect(guest.name.hasPrefix("bug-") && guest.name.count <= 24)
            #expect(guest.summary.count <= 80 && !guest.summary.contains("\n"))
        }
        for guest in BuiltInGuest.all {
            #expect(guest.rule == nil && !guest.name.hasPrefix("bug-"))
        }
    }

    @Test("every symbol that a row names is in its blob")
    func symbols() {
        for guest in BuiltInGuest.bugs {
            let names = [guest.entry, guest.trampoline].compactMap { $0 }
            for name in names {
                #expect(guest.image.symbols[name] != nil, "\(guest.name): \(name)")
            }
        }
    }

    @Test("without the fault of the hypervisor nothing is wrong", arguments: GHCBSetup.allCases)
    func hypervisor(setup: GHCBSetup) throws {
        for name in ["bug-exitinfo1-kept", "bug-second-ghcb"] {
            var image = try Self.guest(name).image
            image.hypervisorFaults = []
            let run = try Self.run(image, LaunchOptions(setup: setup))
            #expect(run.findings.isEmpty && run.end.reason == .returned, "\(name)")
        }
    }

    @Test("with sevdbg's trampoline in the place of its own, nothing is wrong")
    func trampoline() throws {
        for guest in BuiltInGuest.bugs where guest.trampoline != nil {
            var image = guest.image
            image.symbols = SymbolTable(
                image.symbols.symbols.filter { $0.name != "ghcb_trampoline" })
            let run = try Self.run(image, LaunchOptions(guest.defaults))
            #expect(run.findings.isEmpty && run.end.termination == .requested(set: 0, code: 0))
        }
    }

    @Test("the first entry of a pool is good for one vCPU, and is aligned")
    func firstEntry() throws {
        let first = try Self.guest("bug-first-entry")
        var options = LaunchOptions(first.defaults)
        options.vcpus = 1
        #expect(try Self.run(first.image, options).findings.isEmpty)
        let aligned = try Self.guest("bug-unaligned-kill")
        options = LaunchOptions(aligned.defaults)
        options.arguments = [.value(0)]
        let run = try Self.run(aligned.image, options)
        #expect(run.findings.isEmpty && run.end.reason == .returned)
    }

    @Test("each misaligned entry does to the VM what its low bits ask for")
    func unaligned() throws {
        func end(_ name: String) throws -> End {
            let guest = try Self.guest("bug-unaligned-" + name)
            return try Self.run(guest.image, LaunchOptions(guest.defaults)).end
        }
        guard case .refused = try end("kill").termination else {
            Issue.record("the VM goes on")
            return
        }
        #expect(try end("features").reason == .returned)
        guard case .requested = try end("terminate").termination else {
            Issue.record("the VM was not asked to end")
            return
        }
    }

    @Test("ciphertext is found whatever the key is", arguments: [1, 77, 0xffff_ffff] as [UInt64])
    func keys(seed: UInt64) throws {
        for name in ["bug-c-bit-tlb", "bug-c-bit-ciphertext"] {
            let guest = try Self.guest(name)
            let options = LaunchOptions(guest.defaults)
            let found = try Self.run(guest.image, options, seed: seed).findings
            #expect(found.map(\.rule) == [guest.rule])
        }
    }

    @Test("a guest that is bound to its setup says so under another")
    func bound() throws {
        let guest = try Self.guest("bug-no-wrmsr")
        for setup in [GHCBSetup.pool, .host] {
            let error = #expect(throws: GuestError.self) {
                try LaunchPlan(guest.image, LaunchOptions(setup: setup))
            }
            guard case .badOption(let text) = error else { return }
            #expect(text.contains("give --ghcb trampoline"))
        }
    }
}
