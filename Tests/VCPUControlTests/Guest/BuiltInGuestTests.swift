import Testing
import VCPUControl

@Suite("Built-in guests")
struct BuiltInGuestTests {
    /// What each guest writes to the console when it runs on one vCPU with GHCB version 2.
    static let console: [String: String] = [
        "hello": "hello from an SEV-ES guest\n",
        "msr": """
        msr 0x0000001b = 0x00000000fee00900
        msr 0x000002ff = 0x0000000000000806
        msr 0x0000001b = 0x00000000fee00900
        msr 0x00000277 = 0x0007040600070406
        msr 0xc0011fff raises, in EVENTINJ form, 0x000000008000030d

        """,
        "ioio": """
        >
        page: in 0x0000000000000060, 0x000000000000ffff, 0x00000000ffffffff
        >
        #VC:  in 0x1122334455667760, 0x112233445566ffff, 0x00000000ffffffff
        outs, forward
        outs, backward
        #VC:  ins 0xffffffffffffffff

        """,
        "mmio": """
        written to a serial port
        page: 0xffffffff
        written to a serial port.
        #VC:  0x00000000000000ff, 0x000000000000ffff, 0x00000000ffffffff, 0xffffffffffffffff
        #VC, extended: 0x00000000000000ff, 0xffffffffffffffff, 0x000000000000ffff, \
        0xffffffffffffffff

        """,
        "hv-features": """
        highest version 0x0002
        features, MSR:  0x0000000000003
        features, page: 0x0000000000003

        """,
        "nested-vc": "vendor, from CPUID with a #VC in its #VC handler: 0x68747541\n",
    ]

    /// Enough iterations to be preempted often, few enough to be quick.
    private func options(
        _ name: String, _ setup: GHCBSetup, vcpus: Int, version: Int = 2
    ) -> LaunchOptions {
        LaunchOptions(
            setup: setup, ghcbVersion: version, vcpus: vcpus,
            arguments: name == "spin" ? [.value(2000)] : [])
    }

    @Test(
        "every guest ends well under every setup, on one vCPU and on several",
        arguments: BuiltInGuest.all.map(\.name), GHCBSetup.allCases)
    func end(name: String, setup: GHCBSetup) throws {
        for vcpus in [1, 3] {
            let run = try GuestRun(GuestImage.load(name), options(name, setup, vcpus: vcpus))
            #expect(run.end == (name == "smoke" ? "terminated" : "returned"))
            if name == "smoke" { #expect(run.termination == .requested(set: 0, code: 0)) }
            let bad = run.exchanges.filter { $0.outcome == .unanswered || $0.outcome.isMalformed }
            #expect(bad.isEmpty, "\(bad.map(\.summary))")
        }
    }

    @Test("the console shows what the guest's description says", arguments: console.keys.sorted())
    func output(name: String) throws {
        let run = try GuestRun(GuestImage.load(name), options(name, .trampoline, vcpus: 1))
        #expect(run.console == Self.console[name])
    }

    @Test("a guest of version 2 asks nothing of it where the hypervisor has version 1")
    func versionOne() throws {
        let run = try GuestRun(
            GuestImage.load("hv-features"), options("", .host, vcpus: 1, version: 1))
        #expect(run.end == "returned")
        #expect(run.console == "highest version 0x0001\n")
    }

    @Test("cpuid gets the same registers in all three ways")
    func cpuid() throws {
        let run = try GuestRun(GuestImage.load("cpuid"), options("", .pool, vcpus: 1))
        let lines = run.console.split(separator: "\n").map { $0.dropFirst(5) }
        #expect(lines.count == 16)
        for leaf in 0..<5 {
            #expect(Set(lines[leaf * 3..<leaf * 3 + 3]).count == 1)
        }
    }

    @Test("ucall: a text and the end, through a struct in a shared page")
    func ucall() throws {
        let run = try GuestRun(GuestImage.load("ucall"), options("", .trampoline, vcpus: 1))
        let address = try #require(run.plan.symbols["ucall"]).rawValue
        #expect(run.ucalls == [address, address])
        #expect(run.shared(address, count: 8) == [4, 0, 0, 0, 0, 0, 0, 0])
        #expect(run.shared(address + 0x40, count: 20) == Array("a ucall with a text\n".utf8))
    }

    @Test("smp: each vCPU holds a page of its own", arguments: GHCBSetup.allCases)
    func smp(setup: GHCBSetup) throws {
        let run = try GuestRun(GuestImage.load("smp"), options("", setup, vcpus: 5))
        #expect(Set(run.exchanges.compactMap(\.ghcb)).count == 5)
        let numbers = run.console.split(separator: "\n").map { $0.prefix(11) }
        #expect(Set(numbers) == Set((0..<5).map { "vCPU 0x000\($0)" }))
    }

    @Test("every guest runs from where it is put: moved by a page, it does the same")
    func positionIndependent() throws {
        for guest in BuiltInGuest.all where guest.name != "spin" {
            let image = guest.image
            let here = try GuestRun(image, LaunchOptions())
            let there = try GuestRun(image.moved(by: 0x3000), LaunchOptions())
            #expect(here.console == there.console)
            #expect(here.exchanges.count == there.exchanges.count)
            #expect(here.end == there.end)
        }
    }
}

extension GuestImage {
    /// The same bytes, elsewhere.
    fileprivate func moved(by distance: UInt64) -> GuestImage {
        var image = self
        image.entry.rawValue += distance
        for index in image.segments.indices { image.segments[index].address.rawValue += distance }
        image.shared = shared.map { $0.lowerBound + distance..<$0.upperBound + distance }
        return image
    }
}

extension Exchange.Outcome {
    var isMalformed: Bool {
        if case .malformed = self { true } else { false }
    }
}
