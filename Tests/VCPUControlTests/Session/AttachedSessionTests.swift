import Testing

@testable import VCPUControl

/// A session over a guest that sevdbg has not launched.
@Suite("An attached session")
struct AttachedSessionTests {
    static let guest = AttachedGuest(process: 42, name: "vmm")

    static func session(_ machine: ScriptedMachine = ScriptedMachine()) throws -> Session {
        machine.guestMemory = GuestMemoryMap(
            slots: [.init(guest: 0, host: 0x7f00_0000_0000, size: 1 << 20)], origin: .pageTables,
            limit: "no BPF")
        let session = try Session(attachedTo: guest, machine)
        _ = session.next()
        return session
    }

    static func run(_ session: Session, _ line: String) -> [SessionEvent] {
        session.submit(line)
        var events: [SessionEvent] = []
        while let event = session.next() { events.append(event) }
        return events
    }

    static func failure(_ session: Session, _ line: String) -> String? {
        guard case .result(let result)? = run(session, line).last,
            case .failure(let failure) = result.outcome
        else { return nil }
        return failure.message
    }

    @Test("its head names the process, and nothing that a launch decides")
    func head() throws {
        let session = try Session(attachedTo: Self.guest, ScriptedMachine())
        guard case .launch(let head)? = session.next() else {
            Issue.record("no head")
            return
        }
        #expect(head.process == 42)
        #expect(head.ghcb == nil && head.entry == nil)
        let record = String(
            decoding: JSONRenderer.line(for: .launch(head)), as: UTF8.self)
        #expect(record.contains(#""type":"attach","machine":"scripted","process":42"#))
        #expect(session.snapshot().setup == nil)
    }

    @Test(
        "what only a launched guest can do says why not",
        arguments: ["restart", "ghcb pool", "compare", "compare pool trampoline"])
    func refused(line: String) throws {
        let message = try #require(Self.failure(try Self.session(), line))
        #expect(message.contains("has not launched its guest"))
    }

    @Test("where the machine cannot stop at VMGEXITs, no command waits for one")
    func noExchanges() throws {
        let machine = ScriptedMachine()
        machine.exitRefusal = "BPF needs root"
        let session = try Self.session(machine)
        for line in ["vmgexit", "break vmgexit"] {
            #expect(Self.failure(session, line) == "BPF needs root")
        }
        #expect(machine.runs.isEmpty && session.breakpoints.all.isEmpty)
    }

    @Test("the machine hears of the VMGEXITs that breakpoints and the command wait for")
    func exchanges() throws {
        let machine = ScriptedMachine()
        let session = try Self.session(machine)
        _ = Self.run(session, "break vmgexit port=0x80")
        #expect(machine.exitStops.map(\.text) == ["port=0x80"])
        machine.program = { machine, _, _ in
            #expect(machine.exitStops.map(\.text) == ["port=0x80", "MSR"])
            let kind = PassedExit.Kind.readMSR(0x10)
            return .init(
                executed: 0,
                exit: .accessed(PassedExit(vcpu: 0, rip: .hidden(.outside), kind: kind)))
        }
        _ = Self.run(session, "vmgexit MSR 2")
        #expect(machine.runs.count == 2)
        #expect(machine.exitStops.map(\.text) == ["port=0x80"])
        _ = Self.run(session, "disable 1")
        #expect(machine.exitStops.isEmpty)
    }

    @Test("an access that a breakpoint on VMGEXITs wants stops the guest, others pass")
    func accesses() throws {
        let machine = ScriptedMachine()
        machine.steps = [UInt16(0x3f8), 0x80].map { port in
            let access = PortAccess(port: port, size: 4, count: 1, data: [], isInput: false)
            return .init(
                executed: 0,
                exit: .accessed(
                    PassedExit(vcpu: 0, rip: .hidden(.outside), kind: .port(access))))
        }
        let session = try Self.session(machine)
        _ = Self.run(session, "break vmgexit port=0x80")
        guard case .stop(let stop)? = Self.run(session, "continue").first else {
            Issue.record("no stop")
            return
        }
        #expect(stop.reason == .breakpoint)
        #expect(stop.detail == "breakpoint 1, OUT port 0x80, 4 bytes")
        #expect(machine.runs.count == 2)
    }

    @Test("a VMGEXIT that is stopped at shows its request, and that its answer is to come")
    func pending() throws {
        let machine = ScriptedMachine()
        var page = GHCBPage()
        page.set(.swExitCode, to: ExitCode.cpuid.rawValue)
        page.set(.rax, to: 0x8000_001f)
        let exchange = Exchange(
            vcpu: 0, rip: .init(0), msr: 0x7000, content: .page(request: page, response: nil),
            outcome: .pending)
        machine.steps = [.init(executed: 0, exit: .vmgexit(exchange))]
        let session = try Self.session(machine)
        _ = Self.run(session, "break vmgexit CPUID")
        let events = Self.run(session, "continue")
        #expect(events.first == .vmgexit(sequence: 1, exchange))
        #expect(
            events.contains { event in
                if case .stop(let stop) = event { stop.reason == .vmgexit } else { false }
            })
        #expect(
            exchange.summary.hasSuffix("-> pending: the hypervisor answers when the guest runs on"))
        #expect(exchange.steps.count == 1)
        #expect(session.snapshot().lastExchange == exchange)
    }

    @Test("an exit that passes is reported, and the command goes on")
    func passed() throws {
        let machine = ScriptedMachine()
        let exit = PassedExit(
            vcpu: 0, rip: .known(.init(0x10_0001), from: .direct), kind: .other(5))
        machine.steps = [.init(executed: 0, exit: .passed(exit)), .init(rip: 0x10_0001)]
        let events = Self.run(try Self.session(machine), "stepi")
        #expect(events.contains(.exit(exit)))
        #expect(machine.runs.count == 2)
        guard case .stop(let stop)? = events.dropFirst().first else {
            Issue.record("no stop")
            return
        }
        #expect(stop.reason == .step)
    }

    @Test("a VMM that ends fails the command, and ends the session's guest")
    func vanished() throws {
        let machine = ScriptedMachine()
        machine.steps = [.init(executed: 0, exit: .vanished("the VMM has ended"))]
        let session = try Self.session(machine)
        #expect(Self.failure(session, "continue") == nil)
        #expect(session.end?.reason == .vanished)
        #expect(try #require(Self.failure(session, "stepi")).contains("vanished"))
    }

    @Test("detach and quit leave the guest; a launched one cannot be left")
    func detach() throws {
        for line in ["detach", "quit"] {
            let session = try Self.session()
            _ = Self.run(session, line)
            #expect(session.end?.reason == .detached)
        }
        let launched = try ScriptedSession()
        #expect(launched.answer("detach") == nil)
    }

    @Test("info memory and info setup say what is known, and how")
    func info() throws {
        let session = try Self.session()
        for line in ["info memory", "info setup"] {
            guard case .result(let result)? = Self.run(session, line).last,
                case .success(.text(let lines)) = result.outcome
            else {
                Issue.record("\(line) has no text")
                continue
            }
            #expect(lines.contains { $0.contains("page tables agree with KVM_TRANSLATE") })
            #expect(lines.contains("  no BPF") == (line == "info memory"))
        }
    }

    @Test("a vCPU that there is not is refused at the start")
    func noVCPU() {
        #expect {
            _ = try Session(attachedTo: Self.guest, ScriptedMachine(), vcpu: 1)
        } throws: { error in
            (error as? SessionError)?.message.contains("no vCPU 1") ?? false
        }
    }
}
