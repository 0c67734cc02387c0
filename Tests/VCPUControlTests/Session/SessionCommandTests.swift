import Testing

@testable import VCPUControl

@Suite("Commands that look and change")
struct SessionCommandTests {
    let scripted: ScriptedSession

    init() throws {
        scripted = try ScriptedSession(vcpus: 2) { machine in
            machine.files[0][.rax] = 0x1122_3344_5566_7788
            machine.files[0][.rflags] = 0x246
            machine.ram.replaceSubrange(0x1ff8..<0x2004, with: 1...12)
            machine.ram.replaceSubrange(0x3000..<0x3006, with: "hi\n\u{1b}x\0".utf8)
            machine.unmapped = [0x5000]
            machine.ram.replaceSubrange(0x10_0000..<0x10_0003, with: [0x90, 0x90, 0xc3])
        }
    }

    private func lines(_ command: String) -> [String]? { scripted.answer(command)?.lines }

    @Test("x shows units in gdb's rows, across pages")
    func examine() {
        #expect(lines("x/2xg 0x1ff8") == ["0x1ff8:\t0x0807060504030201\t0x000000000c0b0a09"])
        #expect(lines("x/3xb 0x1ff8") == ["0x1ff8:\t0x01\t0x02\t0x03"])
        #expect(lines("x/2dw 0x1ff8") == ["0x1ff8:\t67305985\t134678021"])
        #expect(lines("x/th 0x1ff8") == ["0x1ff8:\t0000001000000001"])
        #expect(lines("x/oh 0x1ff8") == ["0x1ff8:\t01001"])
        #expect(lines("x/2c 0x3000") == ["0x3000:\t104 'h'\t105 'i'"])
        #expect(lines("x/s 0x3000") == ["0x3000:\t\"hi\\n\\x1bx\""])
        #expect(
            lines("x/2i guest_code") == [
                "=> 0x100000 <guest_code>:\tnop", "   0x100001 <guest_code+0x1>:\tnop",
            ])
        #expect(lines("x/5xw 0x1ff8")?.count == 2)
    }

    @Test("x without arguments goes on")
    func examineNext() {
        _ = lines("x/xw 0x1ff8")
        #expect(lines("x") == ["0x1ffc:\t0x08070605"])
        #expect(lines("x/2") == ["0x2000:\t0x0c0b0a09\t0x00000000"])
    }

    @Test("what is not mapped is a reason, never a zero")
    func hidden() {
        #expect(lines("x/2xw 0x4ffc") == ["0x4ffc:\t0x00000000\t<not mapped>"])
        #expect(lines("x/i 0x5000") == ["   <not mapped>"])
    }

    @Test("set changes registers, parts of them and memory")
    func set() {
        #expect(scripted.answer("set $rax = 5 + 1") == .done)
        #expect(scripted.machine.files[0][.rax] == 6)
        _ = scripted.run("set $rbx = 0x1111111111111111")
        _ = scripted.run("set $bh = 0xab")
        #expect(scripted.machine.files[0][.rbx] == 0x1111_1111_1111_ab11)
        _ = scripted.run("set {u16} 0x1fff = 0x2211")
        #expect(Array(scripted.machine.ram[0x1ffe...0x2001]) == [7, 0x11, 0x22, 10])
        #expect(
            scripted.failure("set {u16} 0x4fff = 1")
                == "cannot write at 0x5000: the guest's page tables do not map it")
        #expect(scripted.machine.ram[0x4fff] == 0)
        #expect(scripted.failure("set $cr3 = 0") != nil)
    }

    @Test("info registers shows gdb's columns")
    func registers() {
        #expect(
            lines("info registers rax rip rflags") == [
                "rax            0x1122334455667788 1234605616436508552",
                "rip            0x100000           0x100000 <guest_code>",
                "rflags         0x246              [ PF ZF IF ]",
            ])
        #expect(lines("info registers")?.count == 18 + SystemRegisterName.allCases.count)
        #expect(
            scripted.failure("info registers foo") == "info registers: there is no register foo")
    }

    @Test("print formats values")
    func print() {
        #expect(lines("print 7") == ["$1 = 7"])
        #expect(lines("p/x 255") == ["$2 = 0xff"])
        #expect(lines("p/t 5") == ["$3 = 101"])
        #expect(lines("p guest_code") == ["$4 = 0x100000 <guest_code>"])
        #expect(lines("p/c 65") == ["$5 = 65 'A'"])
        #expect(lines("p/d $rsp") == ["$6 = 1572864"])
        #expect(lines("p -1") == ["$7 = -1"])
    }

    @Test("disassemble shows the function around an address")
    func disassemble() {
        let all = lines("disassemble guest_code+1")
        #expect(all?.first == "Dump of assembler code for function guest_code:")
        #expect(all?.dropFirst().first == "=> 0x100000 <+0>:\tnop")
        #expect(all?.last == "End of assembler dump.")
        #expect(lines("disassemble guest_code,+2")?.count == 2)
        #expect(lines("disassemble 0x100000,0x100003")?.count == 3)
        #expect(
            scripted.failure("disassemble 0x5000")
                == "disassemble: the code cannot be read: nothing is mapped there")
    }

    @Test("breakpoints are listed, changed and removed by number")
    func breakpoints() {
        #expect(lines("info breakpoints") == ["No breakpoints."])
        #expect(lines("b helper if $rax == 1") == ["Breakpoint 1 at 0x100100 <helper>"])
        #expect(lines("b vmgexit CPUID") == ["Breakpoint 2 at vmgexit CPUID"])
        _ = scripted.run("disable 1")
        #expect(scripted.machine.breakpoints == [])
        #expect(
            lines("info b") == [
                "Num     Type       Enb Hits  Where",
                "1       breakpoint n   0     0x100100 <helper>",
                "        stop only if $rax == 1",
                "2       vmgexit    y   0     CPUID",
            ])
        _ = scripted.run("enable")
        #expect(scripted.machine.breakpoints == [.init(0x10_0100)])
        #expect(
            scripted.failure("delete 7") == "there is no breakpoint 7; see info breakpoints")
        _ = scripted.run("delete")
        #expect(scripted.machine.breakpoints == [])
        #expect(lines("b helper") == ["Breakpoint 3 at 0x100100 <helper>"])
        #expect(scripted.failure("b nosuch")?.hasPrefix("there is no symbol nosuch") == true)
        #expect(scripted.failure("b helper if $rax == nosuch") != nil)
    }

    @Test("vcpu chooses what commands are about")
    func vcpu() {
        #expect(lines("vcpu 1")?.first?.hasPrefix("* vCPU 1   ready") == true)
        #expect(scripted.session.snapshot().current == 1)
        #expect(
            scripted.failure("vcpu 2") == "there is no vCPU 2; this guest has 0 to 1")
        #expect(lines("info vcpus")?.count == 2)
    }

    @Test("info memory joins neighbouring pages of a kind")
    func memory() {
        scripted.machine.privatePages = [0x1000, 0x2000]
        guard case .pages(let ranges) = scripted.answer("info memory") else {
            Issue.record("no ranges")
            return
        }
        #expect(ranges.prefix(3).map(\.start.rawValue) == [0, 0x1000, 0x3000])
        #expect(ranges.prefix(2).map(\.isPrivate.value) == [false, true])
    }

    @Test("every topic of info answers")
    func topics() {
        for topic in InfoTopic.allCases {
            #expect(scripted.answer("info \(topic.rawValue)") != nil, "\(topic)")
        }
        #expect(scripted.failure("info ghcb foo") == "info ghcb: `foo` does not belong here")
    }

    @Test("the snapshot shows code around RIP")
    func snapshot() {
        scripted.machine.files[0][.rip] = 0x10_0002
        let code = scripted.session.snapshot().code.value
        #expect(code?.first?.address == .init(0x10_0000))
        #expect(code?.contains { $0.address == .init(0x10_0002) && $0.text == "ret" } == true)
    }

    @Test("a ucall's text reaches the console; a private one says why it does not")
    func ucall() throws {
        let access = PortAccess(
            port: 0x1000, size: 1, count: 8, data: UInt64(0x6000).littleEndianBytes(8),
            isInput: false)
        let scripted = try ScriptedSession { machine in
            machine.ram[0x6000] = 3
            machine.ram.replaceSubrange(0x6040..<0x6043, with: "ok\n".utf8)
            machine.steps = [.init(exit: .io(access)), .init(exit: .io(access)), .init()]
        }
        #expect(scripted.run("si").first == .console(vcpu: 0, bytes: Array("ok\n".utf8)))
        scripted.machine.privatePages = [0x6000]
        scripted.machine.steps = [.init(exit: .io(access)), .init()]
        guard case .console(_, let bytes) = scripted.run("si").first else { return }
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "sevdbg: ucall at 0x6000 lies in private memory, which the host sees"
                + " scrambled; put it into .shared\n")
    }
}
