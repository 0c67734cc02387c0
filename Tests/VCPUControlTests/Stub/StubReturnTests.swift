import Testing

@testable import VCPUControl

@Suite("Through the stub: the end of a guest that is stepped")
struct StubReturnTests {
    /// Its own end: CLI, HLT.
    private static let halting = GuestImage(flat: [0xfa, 0xf4], name: "halting")

    @Test(
        "steps over the return end as a free run does", arguments: [false, true],
        [GHCBSetup.pool, .trampoline])
    func steps(isTwin: Bool, setup: GHCBSetup) throws {
        let stub = try StubSession("hello", setup, isTwin: isTwin)
        #expect(stub.run("stepi 10000").last?.name == "end returned")
    }

    @Test("so does a run that watches memory, of several vCPUs too", arguments: [false, true])
    func watched(isTwin: Bool) throws {
        for (guest, vcpus) in [("hello", 1), ("cpuid", 2)] {
            let stub = try StubSession(guest, vcpus: vcpus, isTwin: isTwin)
            stub.run("watch 0x800000")
            #expect(stub.run("continue").last?.name == "end returned", "\(guest)")
        }
    }

    @Test(
        "a run from a stop right before it, and a step of one vCPU of two",
        arguments: [false, true])
    func stops(isTwin: Bool) throws {
        let stub = try StubSession(
            "hello", vcpus: 2, breakpoints: ["sevdbg_returned_halt"], isTwin: isTwin)
        #expect(stub.stop("continue")?.symbol == "sevdbg_returned_halt")
        stub.run("delete")
        #expect(stub.stop("stepi")?.detail == "vCPU 0 is returned; others can run on")
        #expect(stub.run("continue").last?.name == "end returned")
        let alone = try StubSession(
            "hello", breakpoints: ["sevdbg_returned_halt"], isTwin: isTwin)
        #expect(alone.stop("continue")?.symbol == "sevdbg_returned_halt")
        alone.run("delete")
        #expect(alone.run("continue").last?.name == "end returned")
    }

    @Test("a HLT of the guest's own is none", arguments: [false, true])
    func halts(isTwin: Bool) throws {
        for commands in [["stepi 100"], ["watch 0x800000", "continue"], ["continue"]] {
            let stub = try StubSession(Self.halting, isTwin: isTwin)
            let events = commands.flatMap { stub.run($0) }
            #expect(events.last?.name == "end halted", "\(commands)")
        }
    }
}
