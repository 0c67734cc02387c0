import Testing

@testable import VCPUControl

@Suite("Running")
struct SessionRunTests {
    @Test("the first event is the launch")
    func launch() throws {
        let machine = ScriptedMachine()
        nonisolated(unsafe) let made = machine
        let session = try Session(
            SessionConfiguration(image: ScriptedSession.image, options: LaunchOptions()) {
                _, _, _ in unsafe made
            })
        #expect(
            session.next()
                == .launch(
                    Launch(
                        machine: "scripted", ghcb: "trampoline", ghcbVersion: 2, vcpus: 1,
                        guest: "scripted", entry: .init(0x10_0000), protectedState: false)))
        #expect(session.next() == nil)
    }

    @Test("stepi runs only this vCPU, by the count, and reports one result")
    func stepi() throws {
        let scripted = try ScriptedSession { machine in
            machine.steps = [.init(executed: 3, rip: 0x10_0003)]
        }
        let events = scripted.run("stepi 3")
        #expect(events.map(\.name) == ["stop step", "result"])
        #expect(scripted.machine.runs.map(\.scope) == [.one(0)])
        #expect(scripted.machine.runs.map(\.limit) == [3])
        guard case .stop(let stop) = events.first else { return }
        #expect(stop.rip == .known(.init(0x10_0003), from: .direct))
        #expect(stop.symbol == "guest_code+0x3")
    }

    @Test("a step over a VMGEXIT that needs a device finishes the exchange first")
    func stepDevice() throws {
        let access = PortAccess(port: 0x3f8, size: 1, count: 2, data: [0x68, 0x0a], isInput: false)
        let exchange = pageExchange(code: 0x7b, info1: 0x3f8_0010)
        let scripted = try ScriptedSession { machine in
            machine.steps = [
                .init(rip: 0x10_0004, exit: .io(access)),
                .init(executed: 0, exit: .vmgexit(exchange)),
            ]
        }
        let events = scripted.run("si")
        #expect(events.map(\.name) == ["console", "vmgexit", "stop step", "result"])
        #expect(events.first == .console(vcpu: 0, bytes: [0x68, 0x0a]))
        #expect(events[1] == .vmgexit(sequence: 1, exchange))
        #expect(scripted.machine.completed == [[]])
    }

    @Test("vmgexit stops at the Nth that matches, and reports those between")
    func vmgexit() throws {
        let scripted = try ScriptedSession { machine in
            machine.steps = [0x7b, 0x72, 0x7b, 0x72].map {
                .init(exit: .vmgexit(pageExchange(code: $0, info1: $0 == 0x7b ? 0x3f8_0010 : 0)))
            }
        }
        let events = scripted.run("vmgexit CPUID 2")
        #expect(
            events.map(\.name)
                == ["vmgexit", "vmgexit", "vmgexit", "vmgexit", "stop vmgexit", "result"])
        #expect(scripted.session.snapshot().vmgexits == 4)
        #expect(scripted.machine.runs.allSatisfy { $0.scope == .all })
    }

    @Test("a conditional breakpoint lets the guest run on until the condition holds")
    func condition() throws {
        let scripted = try ScriptedSession { machine in
            machine.program = { machine, _, _ in
                machine.files[0][.rax] += 1
                return .init(rip: 0x10_0100, exit: .breakpoint)
            }
        }
        _ = scripted.run("break helper if $rax == 3")
        let stop = scripted.stop("continue")
        #expect(stop?.reason == .breakpoint)
        #expect(stop?.detail == "breakpoint 1")
        #expect(scripted.machine.runs.count == 3)
        guard case .breakpoints(let all) = scripted.answer("info breakpoints") else { return }
        #expect(all.first?.hits == 1)
        #expect(scripted.machine.breakpoints == [.init(0x10_0100)])
    }

    @Test("continue N passes the breakpoints before")
    func continueCount() throws {
        let scripted = try ScriptedSession(breakpoints: ["helper"]) { machine in
            machine.program = { _, _, _ in .init(rip: 0x10_0100, exit: .breakpoint) }
        }
        #expect(scripted.stop("c 3")?.reason == .breakpoint)
        #expect(scripted.machine.runs.count == 3)
    }

    @Test("a step that ends at a breakpoint is a hit")
    func stepToBreakpoint() throws {
        let scripted = try ScriptedSession(breakpoints: ["helper"]) { machine in
            machine.steps = [.init(rip: 0x10_0100)]
        }
        #expect(scripted.stop("si")?.reason == .breakpoint)
    }

    @Test("a VMGEXIT breakpoint stops any command, and says its number")
    func exchangeBreakpoint() throws {
        let scripted = try ScriptedSession { machine in
            machine.steps = [
                .init(exit: .vmgexit(pageExchange(code: 0x7b))),
                .init(exit: .vmgexit(pageExchange(code: 0x72))),
            ]
        }
        _ = scripted.run("break vmgexit CPUID")
        let stop = scripted.stop("c")
        #expect(stop?.reason == .vmgexit)
        #expect(stop?.detail == "breakpoint 1")
    }

    @Test("an interrupt stops the guest where it is")
    func interrupt() throws {
        let scripted = try ScriptedSession { machine in
            machine.program = { _, _, _ in .init(exit: .interrupted) }
        }
        #expect(scripted.run("c").map(\.name) == ["stop interrupted", "result"])
        scripted.session.interruptFlag.raise()
        #expect(scripted.run("si 5").map(\.name) == ["stop interrupted", "result"])
        #expect(scripted.session.interruptFlag.isRaised == false)
    }
}

@Suite("nexti and finish")
struct SessionWalkTests {
    @Test("nexti steps a plain instruction once")
    func plain() throws {
        let scripted = try ScriptedSession { machine in
            machine.ram[0x10_0000] = 0x90
            machine.steps = [.init(rip: 0x10_0001)]
        }
        #expect(scripted.stop("ni")?.rip == .known(.init(0x10_0001), from: .direct))
        #expect(scripted.machine.runs.count == 1)
    }

    @Test("nexti goes over a call, to its own frame, not a deeper one")
    func call() throws {
        let scripted = try ScriptedSession { machine in
            machine.ram.replaceSubrange(0x10_0000..<0x10_0005, with: [0xe8, 0xfb, 0, 0, 0])
            machine.steps = [
                .init(rip: 0x10_0100, rsp: 0x17_fff8),
                .init(executed: 10, rip: 0x10_0005, rsp: 0x17_ff00, exit: .breakpoint),
                .init(executed: 10, rip: 0x10_0005, rsp: 0x18_0000, exit: .breakpoint),
            ]
        }
        let events = scripted.run("nexti")
        #expect(events.map(\.name) == ["stop step", "result"])
        #expect(scripted.machine.runs.map(\.scope) == [.one(0), .all, .all])
        #expect(scripted.machine.breakpoints == [])
    }

    @Test("nexti takes an instruction that raises #VC as one")
    func exception() throws {
        let scripted = try ScriptedSession { machine in
            machine.ram.replaceSubrange(0x10_0000..<0x10_0002, with: [0x0f, 0xa2])
            machine.steps = [
                .init(rip: 0x10_1000, rsp: 0x1_0000),
                .init(exit: .vmgexit(pageExchange(code: 0x72))),
                .init(executed: 50, rip: 0x10_0002, rsp: 0x18_0000, exit: .breakpoint),
            ]
        }
        #expect(scripted.run("ni").map(\.name) == ["vmgexit", "stop step", "result"])
    }

    @Test("nexti goes through all rounds of REP, from a breakpoint on it too")
    func repeated() throws {
        let scripted = try ScriptedSession(breakpoints: ["guest_code"]) { machine in
            machine.ram.replaceSubrange(0x10_0000..<0x10_0002, with: [0xf3, 0xa4])
            machine.steps = [
                .init(rip: 0x10_0000),
                .init(executed: 99, rip: 0x10_0002, exit: .breakpoint),
            ]
        }
        #expect(scripted.stop("ni")?.reason == .step)
    }

    @Test("a breakpoint in the called function stops nexti")
    func breakpointWithin() throws {
        let scripted = try ScriptedSession(breakpoints: ["helper"]) { machine in
            machine.ram.replaceSubrange(0x10_0000..<0x10_0005, with: [0xe8, 0xfb, 0, 0, 0])
            machine.steps = [.init(rip: 0x10_0100, rsp: 0x17_fff8)]
        }
        let stop = scripted.stop("ni")
        #expect(stop?.reason == .breakpoint)
        #expect(scripted.machine.breakpoints == [.init(0x10_0100)])
    }

    @Test("finish walks to the return, over calls")
    func finish() throws {
        let scripted = try ScriptedSession { machine in
            machine.ram.replaceSubrange(
                0x10_0000..<0x10_0007, with: [0x90, 0xe8, 0xfa, 0, 0, 0, 0xc3])
            machine.steps = [
                .init(rip: 0x10_0001), .init(rip: 0x10_0100, rsp: 0x17_fff8),
                .init(executed: 5, rip: 0x10_0006, rsp: 0x18_0000, exit: .breakpoint),
                .init(rip: 0x10_0200, rsp: 0x18_0008),
            ]
        }
        #expect(scripted.stop("finish")?.rip == .known(.init(0x10_0200), from: .direct))
    }

    @Test("until runs to a place")
    func until() throws {
        let scripted = try ScriptedSession { machine in
            machine.steps = [.init(rip: 0x10_0100, exit: .breakpoint)]
        }
        #expect(scripted.stop("until helper")?.reason == .step)
        #expect(scripted.machine.breakpoints == [])
    }
}
