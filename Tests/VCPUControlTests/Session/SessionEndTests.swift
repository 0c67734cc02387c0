import Testing

@testable import VCPUControl

@Suite("The end of a guest")
struct SessionEndTests {
    private func returnedAt(_ vcpus: Int = 1) throws -> UInt64 {
        let plan = try LaunchPlan(ScriptedSession.image, LaunchOptions(vcpus: vcpus))
        return plan.vcpus[vcpus - 1].returnedAt.rawValue
    }

    @Test("a vCPU that halts behind its entry has returned; when all have, the guest is over")
    func returned() throws {
        let place = try returnedAt()
        let scripted = try ScriptedSession { machine in
            machine.steps = [.init(executed: 7, rip: place + 1, exit: .halt)]
        }
        let events = scripted.run("c")
        #expect(events.map(\.name) == ["result", "end returned"])
        #expect(
            events.last
                == .end(
                    End(
                        reason: .returned, termination: nil, instructions: 7, vmgexits: 0,
                        findings: 0)))
        #expect(
            scripted.failure("si")
                == "the guest has ended (returned); `restart` launches it anew")
        #expect(scripted.answer("info registers") != nil)
    }

    @Test("all vCPUs halted, some returned, is halted")
    func halted() throws {
        let place = try returnedAt(2)
        let scripted = try ScriptedSession(vcpus: 2) { machine in
            machine.steps = [
                .init(vcpu: 0, rip: 0x10_0001, exit: .halt),
                .init(vcpu: 1, rip: place + 1, exit: .halt),
            ]
        }
        #expect(scripted.run("c").map(\.name) == ["stop halted", "result", "end halted"])
    }

    @Test("one vCPU that halts stops its own step only")
    func oneHalts() throws {
        let scripted = try ScriptedSession(vcpus: 2) { machine in
            machine.steps = [.init(vcpu: 0, rip: 0x10_0001, exit: .halt)]
        }
        #expect(scripted.stop("si 5")?.detail == "vCPU 0 is halted; others can run on")
        #expect(
            scripted.failure("si")
                == "vCPU 0 cannot run: it is halted; choose another with vcpu N, or continue")
        #expect(scripted.session.end == nil)
    }

    @Test("a termination carries set and code")
    func terminated() throws {
        let termination = Termination.requested(set: 5, code: 2)
        let exchange = pageExchange(code: 0x8000_fffe, outcome: .terminated(termination))
        let scripted = try ScriptedSession { machine in
            machine.steps = [.init(exit: .vmgexit(exchange))]
        }
        let events = scripted.run("c")
        #expect(events.map(\.name) == ["vmgexit", "stop terminated", "result", "end terminated"])
        #expect(scripted.session.end?.termination == termination)
    }

    @Test("a shutdown tells the machine's text")
    func shutdown() throws {
        let scripted = try ScriptedSession { machine in
            machine.steps = [.init(exit: .shutdown("#GP(0) at 0x100012"))]
        }
        #expect(scripted.stop("c")?.detail == "#GP(0) at 0x100012")
        #expect(scripted.session.end?.reason == .shutdown)
    }

    @Test("an unknown instruction stops with its bytes, and the session can go on")
    func unimplemented() throws {
        let scripted = try ScriptedSession { machine in
            machine.steps = [.init(executed: 0, exit: .unimplemented([0xc5, 0xf8, 0x77]))]
        }
        let stop = scripted.stop("c")
        #expect(stop?.reason == .unimplemented)
        #expect(stop?.instruction == "c5 f8 77")
        #expect(scripted.session.end == nil)
        scripted.session.close()
        #expect(scripted.session.end?.reason == .unimplemented)
    }

    @Test("quit ends a guest that is alive, once, and the session with it")
    func quit() throws {
        let scripted = try ScriptedSession()
        #expect(scripted.run("quit").map(\.name) == ["result", "end quit"])
        #expect(scripted.session.isOver)
        scripted.session.close()
        #expect(scripted.session.next() == nil)
        #expect(scripted.failure("si") == "the session is over")
    }

    @Test("restart and ghcb launch anew with the breakpoints")
    func relaunch() throws {
        let scripted = try ScriptedSession(breakpoints: ["helper"])
        #expect(scripted.run("restart").map(\.name) == ["launch", "result"])
        let events = scripted.run("ghcb pool")
        #expect(events.map(\.name) == ["launch", "result"])
        if case .launch(let launch) = events.first { #expect(launch.ghcb == "pool") }
        #expect(scripted.machine.breakpoints == [.init(0x10_0100)])
        let relaunch = Relaunch(setup: .trampoline, previous: .pool, kept: 1, lost: [])
        #expect(scripted.answer("ghcb trampoline") == .relaunched(relaunch))
        #expect(scripted.session.snapshot().setups == GHCBSetup.allCases)
        scripted.machine.traits.presetsGHCB = false
        #expect(scripted.session.snapshot().setups == [.pool, .trampoline])
        #expect(scripted.session.snapshot().breakpoints == [1])
        #expect(
            scripted.failure("ghcb host")
                == "scripted cannot preset the GHCB MSR: KVM refuses it for an SEV-ES vCPU; use"
                + " pool or trampoline")
    }

    @Test("a breakpoint whose place is gone after a relaunch is named, and does not stop there")
    func lost() {
        var list = BreakpointList()
        for (number, name) in [(1, "here"), (2, "gone")] {
            let place = Breakpoint.Place.address(.init(0x1000), expression: .symbol(name))
            list.add(Breakpoint(number: number, place: place, symbol: name, condition: nil))
        }
        let lost = list.relaunch { place in
            guard case .address(_, let name) = place, name == .symbol("here") else { return nil }
            return .address(.init(0x2000), expression: name)
        }
        #expect(lost.map(\.number) == [2])
        #expect(list.addresses == [.init(0x2000)])
        let relaunch = Relaunch(setup: .host, previous: .pool, kept: 1, lost: lost)
        let warning = "breakpoint 2 is disabled: there is no gone under host"
        #expect(CommandAnswer.relaunched(relaunch).lines == [warning])
    }

    @Test("without sight of the guest, stepping is refused and values are hidden")
    func hardware() throws {
        let scripted = try ScriptedSession { machine in
            machine.traits.seesProtectedState = false
            machine.traits.steps = false
        }
        #expect(
            scripted.failure("si")
                == "scripted cannot step a vCPU or stop it at an address: SEV-ES hides its"
                + " registers and debug state; use vmgexit, or launch with --visibility full")
        #expect(scripted.failure("break helper") == "no breakpoints here")
        #expect(scripted.answer("info breakpoints") == .breakpoints([]))
        #expect(scripted.answer("info registers rax")?.lines == ["rax            <protected>"])
        #expect(
            scripted.failure("print $rax")
                == "$rax of vCPU 0 cannot be had: SEV-ES protects it from the host; launch with"
                + " --visibility full on the emulator")
    }
}
