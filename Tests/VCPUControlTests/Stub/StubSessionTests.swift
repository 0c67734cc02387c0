import Testing

@testable import VCPUControl

@Suite("Through the stub: debugging")
struct StubSessionTests {
    @Test("the first stop is before the first instruction, and all comes by self-report")
    func entry() throws {
        let stub = try StubSession("cpuid")
        #expect(stub.session.snapshot().registers.value?[.rip] == 0x100_0000)
        guard case .known(_, .selfReport) = stub.session.snapshot().registers,
            case .known(let lines, .selfReport) = stub.session.snapshot().code
        else {
            Issue.record("not reported by the stub")
            return
        }
        #expect(lines.first?.symbol == "sevdbg_trampoline")
        #expect(stub.session.snapshot().instructions.text == "0 instructions stepped")
    }

    @Test("an instruction that raises #VC is one step, and its exit is reported")
    func intercepted() throws {
        let stub = try StubSession("cpuid")
        #expect(stub.stop("until by_instruction")?.symbol == "by_instruction")
        while stub.session.snapshot().code.value?.first(where: {
            $0.address == stub.session.snapshot().registers.value.map { .init($0[.rip]) }
        })?.text != "cpuid" { _ = stub.run("si") }
        let place = try #require(stub.register(.rip))
        let events = stub.run("si")
        #expect(events.map(\.name) == ["vmgexit", "stop step", "result"])
        #expect(stub.register(.rip) == place + 2)
        #expect(stub.register(.rbx) == 0x6874_7541)
        if case .vmgexit(_, let exchange) = events.first {
            let vmgexit = stub.session.plan?.debugStub?.vmgexit
            #expect(exchange.rip == vmgexit.map { .known($0, from: .selfReport) })
        }
    }

    @Test("a condition of a breakpoint is looked at on the stub's registers")
    func condition() throws {
        let stub = try StubSession("cpuid", breakpoints: ["put_line if $rax == 0x70bb37d"])
        let stop = try #require(stub.stop("continue"))
        #expect(stop.reason == .breakpoint && stop.symbol == "put_line")
        #expect(stub.register(.rax) == 0x70b_b37d)
        #expect(stub.text("info breakpoints").contains("breakpoint y   1"))
    }

    @Test("nexti goes over a call, finish to its end, until to a place")
    func walks() throws {
        let stub = try StubSession("cpuid", breakpoints: ["by_page"])
        let by = try #require(stub.stop("continue"))
        #expect(by.symbol == "by_page")
        let stack = try #require(stub.register(.rsp))
        let end = try #require(stub.stop("finish"))
        #expect(end.symbol?.hasPrefix("guest_code+") == true)
        #expect(stub.register(.rsp) == stack + 8)
        #expect(stub.stop("until put_line")?.symbol == "put_line")
        stub.run("finish")
        let call = try #require(stub.register(.rip))
        #expect(stub.stop("nexti")?.rip.value?.rawValue == call + 5)
    }

    @Test("registers and memory can be set, and breakpoints do not show in memory")
    func changes() throws {
        let stub = try StubSession("hello", breakpoints: ["guest_code"])
        let before = stub.text("x/4xb guest_code")
        #expect(stub.stop("continue")?.symbol == "guest_code")
        #expect(stub.text("x/4xb guest_code") == before && !before.contains("0xcc"))
        stub.run("set $rbx = 0x1122334455667788")
        stub.run("si")
        #expect(stub.text("x/1xg $rsp").contains("0x1122334455667788"))
        stub.run("set {u32} $rsp = 0xabcd")
        #expect(stub.text("x/2xw $rsp").contains("0x0000abcd\t0x11223344"))
        #expect(stub.text("set {u8} guest_code = 0x90") == "")
        #expect(stub.text("x/1xb guest_code").contains("0x90"))
        stub.run("set $rip = guest_code")
        #expect(
            stub.stop("si")?.rip.value
                == stub.session.symbols["guest_code"].map {
                    .init($0.rawValue + 1)
                })
        #expect(stub.text("x/1xb 0x3000000").contains("<not mapped>"))
    }

    @Test("behind a VMGEXIT of the guest's own the registers are known, and it can be stepped")
    func vmgexit() throws {
        let stub = try StubSession("hello")
        let stop = try #require(stub.stop("vmgexit"))
        #expect(stop.reason == .vmgexit && stop.registers.value != nil)
        let place = try #require(stop.rip.value)
        #expect(stub.stop("si").flatMap(\.rip.value).map { $0 > place } == true)
        #expect(stub.run("continue").map(\.name).suffix(2) == ["result", "end returned"])
        // What the stub itself asks of the hypervisor is nobody's VMGEXIT.
        #expect(stub.session.snapshot().vmgexits == 1)
    }

    @Test("an NMI stops a guest that spins, and it spins on")
    func interrupt() throws {
        let stub = try StubSession("spin", arguments: [.value(1_000_000)])
        for _ in 0..<3 {
            stub.session.submit("continue")
            stub.session.interruptFlag.raise()
            let events = Array(
                sequence(first: stub.session.next()) { _ in stub.session.next() }
                    .prefix { $0 != nil })
            #expect(events.compactMap { $0?.name } == ["stop interrupted", "result"])
        }
        #expect(stub.register(.rip) != nil)
        #expect(stub.stop("si")?.reason == .step)
        #expect(stub.run("continue").last?.name == "end returned")
    }

    @Test("each vCPU has its own mailbox; one is stepped while the others stand")
    func several() throws {
        let stub = try StubSession("smp", vcpus: 3, breakpoints: ["guest_code"])
        for expected in 0..<3 {
            let stop = try #require(stub.stop("continue"))
            #expect(stop.vcpu == expected && stop.symbol == "guest_code")
            #expect(stub.register(.rdi) == UInt64(expected))
        }
        stub.run("vcpu 1")
        let others = [0, 2].map { stub.session.machine.registers(of: $0) }
        #expect(stub.stop("si 3")?.vcpu == 1)
        #expect([0, 2].map { stub.session.machine.registers(of: $0) } == others)
        stub.run("delete")
        #expect(stub.run("continue").last?.name == "end returned")
    }

    @Test("a guest that loads its own IDT: what works, and where it ends, in words")
    func ownIDT() throws {
        let stub = try StubSession("nested-vc")
        #expect(stub.text("info setup").contains("the guest can load its own IDT (0x"))
        #expect(stub.text("info setup").contains("debugged    through the stub"))
        // The first in memory is that on the way out.
        let load = try #require(stub.session.plan?.debugStub?.idtLoads.last)
        stub.run("break *\(load.rawValue.hex)")
        #expect(stub.stop("continue")?.rip.value == load)
        #expect(
            stub.text("si").contains(
                "is about to load an IDT of the guest's own at \(load.rawValue.hex)"))
        #expect(stub.run("continue").last?.name == "end returned")
        let again = try StubSession("nested-vc", breakpoints: ["inner_cpuid"])
        let events = again.run("continue")
        guard case .end(let end) = events.last else { return }
        #expect(end.reason == .shutdown)
        #expect(
            events.contains { event in
                if case .stop(let stop) = event {
                    return stop.detail?.contains("behind an LIDT of its own") == true
                }
                return false
            })
    }

    @Test("no breakpoint inside the handlers of the stub, nor where nothing is mapped")
    func refusals() throws {
        let stub = try StubSession("hello")
        #expect(stub.text("break sevdbg_vc_handler").contains("inside the debug stub"))
        #expect(stub.text("break *0x3000000").contains("cannot reach the address"))
        #expect(stub.text("info breakpoints") == "No breakpoints.")
        #expect(stub.run("continue").last?.name == "end returned")
    }

    @Test("what the guest's tables say of its pages is told by the stub")
    func pages() throws {
        let stub = try StubSession("hello")
        let text = stub.text("info memory")
        #expect(text.contains("private") && text.contains("shared"))
        #expect(!text.contains("<protected>"))
    }

    @Test("a restart and another setup are debugged through the stub again")
    func relaunch() throws {
        let stub = try StubSession("cpuid", breakpoints: ["put_line"])
        #expect(stub.stop("continue")?.symbol == "put_line")
        stub.run("ghcb pool")
        #expect(stub.session.snapshot().registers.value?[.rip] != nil)
        #expect(stub.stop("continue")?.symbol == "put_line")
        stub.run("restart")
        #expect(stub.stop("continue")?.symbol == "put_line")
    }
}
