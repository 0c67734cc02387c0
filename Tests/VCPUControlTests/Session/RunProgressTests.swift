import Synchronization
import Testing

@testable import VCPUControl

@Suite("Looks at a running guest")
struct RunProgressTests {
    /// Runs a command of a machine that looks at itself before each of its runs.
    private func progress(_ command: String, _ steps: [ScriptedMachine.Step]) throws
        -> [RunProgress]
    {
        let scripted = try ScriptedSession(vcpus: 2)
        let session = scripted.session
        var (all, left): ([RunProgress], [ScriptedMachine.Step]) = ([], steps)
        scripted.machine.program = { _, _, _ in
            all += session.progressBoard.take().map { [$0] } ?? []
            session.interruptFlag.requestLook()
            return left.isEmpty ? .init(exit: .idle) : left.removeFirst()
        }
        _ = scripted.run(command)
        return all
    }

    private static let exit = ScriptedMachine.Step(exit: .vmgexit(pageExchange(code: 0x72)))

    @Test("stepi N knows its end, and a look costs no instruction")
    func stepping() throws {
        let step = ScriptedMachine.Step(executed: 25, rip: 0x10_0042)
        let all = try progress("stepi 100", [step, step, step, step])
        #expect(all.map(\.extent) == [25, 50, 75].map { .init(done: $0, total: 100) })
        #expect(all.map(\.instructions) == [25, 50, 75])
        #expect(all.last?.vcpus.map(\.number) == [0, 1])
        #expect(all.last?.vcpus.first?.rip == .known(.init(0x10_0042), from: .direct))
        #expect(all.allSatisfy { $0.compared == nil && $0.current == 0 })
    }

    @Test("vmgexit N counts those that match")
    func exits() throws {
        let all = try progress("vmgexit CPUID 3", [Self.exit, Self.exit, Self.exit])
        #expect(all.map(\.extent) == [1, 2].map { .init(done: $0, total: 3) })
        #expect(all.map(\.vmgexits) == [1, 2])
    }

    @Test("nobody knows when a guest that just runs comes to its end")
    func endless() throws {
        let all = try progress("continue", [Self.exit, Self.exit])
        #expect(all.count == 2 && all.allSatisfy { $0.extent == nil })
    }

    @Test("what nobody asked for is not looked at")
    func unasked() throws {
        let scripted = try ScriptedSession { $0.steps = [Self.exit] }
        _ = scripted.run("continue")
        #expect(scripted.session.progressBoard.take() == nil)
    }

    /// All that a guest on three vCPUs does, with a breakpoint that they come to again and again.
    private func story(_ flag: InterruptFlag) throws -> [SessionEvent] {
        let image = try GuestImage.load("smp")
        var options = LaunchOptions(image.defaults)
        options.vcpus = 3
        let session = try Session(
            SessionConfiguration(
                image: image, options: options, breakpoints: ["guest_code", "vmgexit CPUID"],
                interruptFlag: flag
            ) { plan, _, interrupt throws(MachineError) in
                try EmulatedMachine(plan, interrupt: interrupt)
            })
        var events: [SessionEvent] = []
        for _ in 0..<100 where session.end == nil {
            session.submit("continue")
            while let event = session.next() { events.append(event) }
        }
        return events
    }

    @Test("looks change nothing: vCPUs take the same turns and stop at the same places")
    func deterministic() async throws {
        let expected = try story(InterruptFlag())
        let flag = InterruptFlag()
        let isOver = Atomic<Bool>(false)
        let looker = Task.detached {
            while !isOver.load(ordering: .relaxed) { flag.requestLook() }
        }
        defer { isOver.store(true, ordering: .relaxed) }
        for _ in 0..<5 { #expect(try story(flag) == expected) }
        isOver.store(true, ordering: .relaxed)
        await looker.value
    }

    @Test("a look is no stop, and a stop no look")
    func flag() {
        let flag = InterruptFlag()
        flag.requestLook()
        #expect(!flag.isRaised && !flag.take() && flag.isAnythingWanted)
        flag.raise()
        #expect(flag.takeLook() && flag.isRaised && flag.take() && !flag.isAnythingWanted)
    }
}
