import Foundation
import Testing

@testable import VCPUControl

@Suite("JSON records")
struct JSONRendererTests {
    private func parse(_ event: SessionEvent) throws -> [String: Any] {
        let line = JSONRenderer.line(for: event)
        #expect(line.last == 0x0a)
        #expect(line.filter { $0 == 0x0a }.count == 1)
        let object = try JSONSerialization.jsonObject(with: Data(line))
        return try #require(object as? [String: Any])
    }

    /// The members of the record in their order.
    private func names(_ event: SessionEvent) -> [String] {
        guard case .object(let members) = JSONRenderer.value(for: event) else { return [] }
        return members.map(\.name)
    }

    @Test("strings come back as they were, whatever is in them")
    func strings() throws {
        let text = "\"\\/\u{8}\u{c}\n\r\t\0\u{1b}[31m\u{7f}\u{9b}é\u{2028}𝄞"
        let event = SessionEvent.console(vcpu: 1, bytes: Array(text.utf8))
        let record = try parse(event)
        #expect(record["text"] as? String == text)
        #expect(record["schema"] as? String == "sevdbg/1")
        #expect(!JSONRenderer.line(for: event).dropLast().contains { $0 < 0x20 || $0 == 0x7f })
        let broken = try parse(.console(vcpu: 0, bytes: [0x41, 0xff, 0xc3]))
        #expect(broken["text"] as? String == "A\u{fffd}\u{fffd}")
    }

    @Test("a launch has exactly its members")
    func launch() throws {
        let event = SessionEvent.launch(
            Launch(
                machine: "emulator", ghcb: "pool", ghcbVersion: 2, vcpus: 3, guest: "hello",
                entry: .init(0x10_0000), protectedState: false))
        #expect(
            JSONRenderer.value(for: event).text
                == #"{"schema":"sevdbg/1","type":"launch","machine":"emulator","ghcb":"pool","#
                + #""ghcbVersion":2,"vcpus":3,"guest":"hello","entry":"0x100000","#
                + #""protectedState":false}"#)
    }

    @Test("a vmgexit has exactly its members, and no zero for what is not valid")
    func vmgexit() throws {
        let event = SessionEvent.vmgexit(
            sequence: 3, pageExchange(code: 0x72, rax: 0x8000_001f))
        #expect(
            names(event) == [
                "schema", "type", "seq", "vcpu", "rip", "protocol", "code", "name", "info1",
                "info2", "ghcb", "request", "response", "outcome", "reason",
            ])
        let record = try parse(event)
        #expect(record["seq"] as? Int == 3)
        #expect(record["rip"] as? String == "0x100004")
        #expect(record["code"] as? String == "0x72")
        #expect(record["name"] as? String == "CPUID")
        #expect(record["ghcb"] as? String == "0x1008000")
        #expect(record["reason"] is NSNull)
        let rax = (record["request"] as? [String: [String: Any]])?["rax"]
        #expect(rax?["value"] as? String == "0x8000001f")
        #expect(rax?["valid"] as? Bool == true)
        #expect(rax?["from"] as? String == "direct")
    }

    @Test("the MSR protocol shows its one word")
    func msr() throws {
        let exchange = Exchange(
            vcpu: 0, rip: .init(0), msr: 2, content: .msr(response: 0x33_0000_0001), outcome: .ok)
        let record = try parse(.vmgexit(sequence: 1, exchange))
        let request = record["request"] as? [String: [String: Any]]
        #expect(request?["msr"]?["value"] as? String == "0x2")
        #expect(record["ghcb"] is NSNull)
    }

    @Test("a stop has its members; hidden registers are null")
    func stop() throws {
        var file = RegisterFile()
        file[.rip] = 0x10_0000
        var stop = Stop(
            reason: .step, vcpu: 0, rip: .known(.init(0x10_0000), from: .direct),
            symbol: "guest_code", instruction: "nop", registers: .known(file, from: .direct))
        #expect(
            names(.stop(stop)) == [
                "schema", "type", "reason", "vcpu", "rip", "symbol", "instruction", "registers",
                "from",
            ])
        let registers = try parse(.stop(stop))["registers"] as? [String: String]
        #expect(registers?.count == 18)
        #expect(registers?["rip"] == "0x100000")
        stop.registers = .hidden(.protected)
        stop.rip = .hidden(.protected)
        let hidden = try parse(.stop(stop))
        #expect(hidden["registers"] is NSNull)
        #expect(hidden["rip"] is NSNull)
        #expect(hidden["from"] as? String == "protected")
    }

    @Test("an end has set and code only when the guest asked for it")
    func end() {
        var end = End(
            reason: .terminated, termination: .requested(set: 1, code: 4), instructions: 12,
            vmgexits: 2, findings: 0)
        #expect(
            JSONRenderer.value(for: .end(end)).text
                == #"{"schema":"sevdbg/1","type":"end","reason":"terminated","set":1,"code":4,"#
                + #""instructions":12,"vmgexits":2,"findings":0}"#)
        end.termination = .refused("0x010")
        #expect(!names(.end(end)).contains("set"))
    }

    @Test("results carry the answer's data, or the sentence")
    func result() throws {
        let scripted = try ScriptedSession { $0.ram[0x1000] = 7 }
        func record(_ line: String) throws -> [String: Any] {
            try parse(try #require(scripted.run(line).last))
        }
        let registers = try record("info registers")
        #expect(registers["command"] as? String == "info registers")
        #expect(registers["ok"] as? Bool == true)
        #expect((registers["registers"] as? [String: String])?["rsp"] == "0x180000")
        #expect((registers["system"] as? [String: String])?["cr3"] == "0x0")
        let memory = try record("x/2xw 0x1000")
        #expect(memory["address"] as? String == "0x1000")
        #expect(memory["values"] as? [String] == ["0x7", "0x0"])
        let failed = try record("frob")
        #expect(failed["ok"] as? Bool == false)
        #expect(
            failed["error"] as? String
                == "there is no command `frob`; `help` lists the commands")
    }

    @Test("every answer makes valid JSON and text")
    func answers() throws {
        let scripted = try ScriptedSession(breakpoints: ["helper", "vmgexit CPUID"]) {
            $0.steps = [.init(exit: .vmgexit(pageExchange(code: 0x72)))]
        }
        let commands =
            InfoTopic.allCases.map { "info \($0.rawValue)" } + [
                "help", "help info", "p 1", "x/s 0", "x/2i guest_code", "disassemble", "vcpu",
                "ghcb", "b 0x1234",
            ]
        _ = scripted.run("vg")
        for command in commands {
            let event = try #require(scripted.run(command).last)
            let record = try parse(event)
            #expect(record["ok"] as? Bool == true, "\(command)")
            #expect(record.count > 4, "\(command)")
            var renderer = TextRenderer(hasColor: false)
            #expect(!renderer.text(for: event).isEmpty, "\(command)")
        }
    }
}

@Suite("Batch text")
struct TextRendererTests {
    @Test("no byte of a guest is a control sequence, for all of them")
    func escapes() {
        for byte in UInt8.min...UInt8.max {
            let text = EscapedText.console([byte])
            let isKept = byte == 0x0a || byte == 0x09
            #expect(
                text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value < 0x7f } != isKept)
        }
        #expect(EscapedText.console("é\r\n\u{1b}[2J\u{9b}".utf8) == "é\n\\x1b[2J\\x9b")
        #expect(EscapedText.console([0xe2, 0x82]) == "\\xe2\\x82")
        #expect(EscapedText.line("a\nb\u{202e}") == "a\\x0ab\\u{202e}")
    }

    @Test("a stop looks like gdb's")
    func stop() {
        var renderer = TextRenderer(hasColor: false)
        var stop = Stop(
            reason: .step, vcpu: 0, rip: .known(.init(0x10_0005), from: .direct),
            symbol: "guest_code+0x5", instruction: "nop", registers: .hidden(.protected))
        #expect(renderer.text(for: .stop(stop)) == "=> 0x100005 <guest_code+0x5>:\tnop\n")
        stop.reason = .breakpoint
        stop.detail = "breakpoint 1"
        #expect(
            renderer.text(for: .stop(stop))
                == "breakpoint 1\n=> 0x100005 <guest_code+0x5>:\tnop\n")
        stop.reason = .shutdown
        stop.detail = "#DF at 0x5"
        stop.rip = .hidden(.protected)
        #expect(renderer.text(for: .stop(stop)) == "shutdown: #DF at 0x5\n=> <protected>\n")
    }

    @Test("console output comes by lines of each vCPU, the rest when the guest stands still")
    func console() {
        var renderer = TextRenderer(hasColor: false)
        func write(_ vcpu: Int, _ text: String) -> String {
            renderer.text(for: .console(vcpu: vcpu, bytes: Array(text.utf8)))
        }
        #expect(write(0, "he") == "")
        #expect(write(1, "one\ntwo") == "one\n")
        #expect(write(0, "llo\n") == "hello\n")
        #expect(renderer.text(for: .console(vcpu: 0, bytes: [0xc3])) == "")
        #expect(renderer.text(for: .console(vcpu: 0, bytes: [0xa9])) == "")
        #expect(renderer.text(for: .vmgexit(sequence: 1, pageExchange(code: 0x72))).hasPrefix("#1"))
        let end = End(
            reason: .returned, termination: nil, instructions: 1, vmgexits: 2, findings: 0)
        #expect(
            renderer.text(for: .end(end))
                == "é\ntwo\n[guest returned: 1 instruction, 2 VMGEXITs]\n"
        )
    }
}
