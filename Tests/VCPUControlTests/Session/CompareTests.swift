import Foundation
import Synchronization
import Testing

@testable import VCPUControl

@Suite("compare")
struct CompareTests {
    private func session(
        _ image: GuestImage, _ options: LaunchOptions = LaunchOptions(),
        visibility: Visibility = .full,
        change: @escaping @Sendable (inout LaunchPlan) -> Void = { _ in }
    ) throws -> Session {
        let session = try Session(
            SessionConfiguration(image: image, options: options) {
                plan, _, interrupt throws(MachineError) in
                var plan = plan
                change(&plan)
                return try EmulatedMachine(plan, visibility: visibility, interrupt: interrupt)
            })
        _ = session.next()
        return session
    }

    private func events(_ session: Session, _ line: String) -> [SessionEvent] {
        session.submit(line)
        var events: [SessionEvent] = []
        while let event = session.next() { events.append(event) }
        return events
    }

    private func answer(_ session: Session, _ line: String = "compare") throws -> CommandAnswer {
        let events = events(session, line)
        guard case .result(let result) = events.last else { throw CommandFailure("no result") }
        return try result.outcome.get()
    }

    private func comparison(
        _ session: Session, _ line: String = "compare"
    ) throws -> SetupComparison {
        guard case .comparison(let comparison) = try answer(session, line) else {
            throw CommandFailure("no comparison")
        }
        return comparison
    }

    private func record(_ session: Session, _ line: String = "compare") throws -> [String: Any] {
        let event = try #require(events(session, line).last)
        let object = try JSONSerialization.jsonObject(with: Data(JSONRenderer.line(for: event)))
        return try #require(object as? [String: Any])
    }

    // MARK: Text

    @Test("hello: the facts in two columns, and one line for what is identical")
    func hello() throws {
        let lines = try answer(try session(GuestImage.load("hello"))).lines
        #expect(
            lines.joined(separator: "\n") == """
                                            trampoline                pool
                instructions to the entry   12                        22
                GHCB MSR writes before it   1                         1
                GHCB MSR writes in all      1                         2
                argument registers          preserved                 preserved
                GHCB pages                  1 (4096 bytes)            1 (4096 bytes)
                pool header pages           none                      1 (4096 bytes)
                instructions in all         75                        611
                VMGEXITs                    1                         1
                findings                    none                      none
                end                         returned                  returned
                VMGEXITs: identical, 1
                """)
    }

    @Test("smp: the guest prints where its page is, and that is the only difference")
    func smp() throws {
        let lines = try answer(
            try session(GuestImage.load("smp"), LaunchOptions(vcpus: 2)), "compare trampoline pool"
        ).lines
        #expect(
            lines.joined(separator: "\n") == """
                (entry: that of vCPU 0)     trampoline                pool
                instructions to the entry   12                        22
                GHCB MSR writes before it   1                         1
                GHCB MSR writes in all      2                         4
                argument registers          preserved                 preserved
                GHCB pages                  2 (8192 bytes)            2 (8192 bytes)
                pool header pages           none                      1 (4096 bytes)
                instructions in all         1728                      2793
                VMGEXITs                    12                        12
                findings                    none                      none
                end                         returned                  returned
                VMGEXITs (- trampoline, + pool, ~ changed):
                vCPU 0: 5 the same, 1 changed
                    ... 3 the same
                    #10   CPUID 0x80000000/0 -> eax=0x8000001f ebx=0x68747541 ecx=0x444d4163 ...
                    #11   CPUID 0x80000000/0 -> eax=0x8000001f ebx=0x68747541 ecx=0x444d4163 ...
                  ~ #12   IOIO OUT 0x3f8 string 8 bit x39 "vCPU 0x0000 has the GHCB at 0x01"...
                        data from byte 26: "t 0x01002000\\n" | "t 0x01003000\\n"
                vCPU 1: 5 the same, 1 changed
                    ... 3 the same
                    #5    CPUID 0x80000000/0 -> eax=0x8000001f ebx=0x68747541 ecx=0x444d4163 ...
                    #6    CPUID 0x80000000/0 -> eax=0x8000001f ebx=0x68747541 ecx=0x444d4163 ...
                  ~ #7    IOIO OUT 0x3f8 string 8 bit x39 "vCPU 0x0001 has the GHCB at 0x01"...
                        data from byte 26: "t 0x01003000\\n" | "t 0x01004000\\n"
                """)
        #expect(lines.allSatisfy { $0.count <= 80 })
    }

    @Test("every built-in guest makes the same VMGEXITs under all setups, but for what it prints")
    func builtIn() throws {
        for guest in BuiltInGuest.all where guest.name != "smp" {
            let options = LaunchOptions(arguments: guest.name == "spin" ? [.value(2000)] : [])
            let session = try session(guest.image, options)
            for line in ["compare", "compare host", "compare host pool"] {
                let traces = try comparison(session, line).traces
                #expect(traces.count == 1 && traces.allSatisfy(\.isSame), "\(guest.name) \(line)")
            }
        }
    }

    // MARK: Differences

    /// CPUID; WBINVD where bit 12 of the GHCB's address is set; OUT of bits 19:12 of that address.
    private static func program() -> GuestProgram {
        var length: UInt64 = 0
        func make() -> GuestProgram {
            GuestProgram { guest in
                guest.begin()
                guest.set(.rax, 0)
                guest.set(.rcx, 0)
                guest.send(.cpuid)
                // bt $12, %rbx; jnc behind the WBINVD
                guest.append(0x48, 0x0f, 0xba, 0xe3, 12, 0x0f, 0x83)
                for byte in length.littleEndianBytes(4) { guest.append(byte) }
                let start = guest.code.count
                guest.begin()
                guest.send(.wbinvd)
                length = UInt64(guest.code.count - start)
                guest.begin()
                // mov %rbx, %rax; shr $12, %rax; movzbl %al, %eax
                guest.append(0x48, 0x89, 0xd8, 0x48, 0xc1, 0xe8, 12, 0x0f, 0xb6, 0xc0)
                guest.storeRAX(.rax)
                guest.mark(63)
                guest.send(.ioio, 0x80_0210)
            }
        }
        _ = make()
        return make()
    }

    @Test("a guest that looks at its GHCB's address: what is added, and what has changed")
    func differing() throws {
        let session = try session(Self.program().image)
        let lines = try answer(session).lines
        #expect(
            lines.suffix(6) == [
                "VMGEXITs (- trampoline, + pool, ~ changed):",
                "vCPU 0: 1 the same, 1 changed, 1 only pool",
                "    #1    CPUID 0x0/0 -> eax=0x0000000d ebx=0x68747541 ecx=0x444d4163 edx=0x6...",
                "  + #2    WBINVD", "  ~ #2    IOIO OUT 0x80 8 bit 0x2", "        rax: 0x2 | 0x3",
            ])
        let back = try comparison(session, "compare pool trampoline").traces[0].entries
        guard case .removed(let only) = back[1], case .changed(_, _, let fields) = back[2] else {
            Issue.record("\(back)")
            return
        }
        #expect(only.name == "WBINVD")
        #expect(fields.map(\.name) == ["rax"])
    }

    @Test("the records name what differs, and count what does not")
    func json() throws {
        let record = try record(try session(Self.program().image))
        let setups = try #require(record["setups"] as? [[String: Any]])
        #expect(
            Set(setups[0].keys) == [
                "setup", "ok", "instructionsToEntry", "msrWritesBeforeEntry", "msrWrites",
                "argumentsLost", "from", "ghcbPages", "ghcbBytes", "poolPages", "poolBytes",
                "instructions", "vmgexits", "findings", "end",
            ])
        #expect(setups.map { $0["setup"] as? String } == ["trampoline", "pool"])
        #expect(setups.map { $0["instructionsToEntry"] as? Int } == [12, 22])
        #expect(setups.map { $0["poolBytes"] as? Int } == [0, 4096])
        #expect(
            setups.map { ($0["end"] as? [String: Any])?["reason"] as? String } == [
                "returned", "returned",
            ])
        #expect(record["identical"] as? Bool == false)
        let diff = try #require(record["diff"] as? [[String: Any]])
        #expect(diff.map { $0["op"] as? String } == ["same", "added", "changed"])
        #expect(diff[0]["count"] as? Int == 1)
        #expect(diff[1]["left"] is NSNull)
        let added = try #require(diff[1]["right"] as? [String: Any])
        #expect(Set(added.keys) == ["seq", "rip", "protocol", "code", "name", "summary"])
        #expect(added["name"] as? String == "WBINVD")
        let fields = try #require(diff[2]["fields"] as? [[String: String]])
        #expect(fields == [["name": "rax", "left": "0x2", "right": "0x3"]])
        #expect((record["notCompared"] as? [Any])?.isEmpty == true)
    }

    @Test("pointers into the stack and the GHCB are one request, wherever these lie")
    func places() throws {
        // lea -0x80(%rsp), %rax, as the argument of a hypercall
        let program = GuestProgram { guest in
            guest.begin()
            guest.append(0x48, 0x8d, 0x44, 0x24, 0x80)
            guest.storeRAX(.rbx)
            guest.mark(99)
            guest.set(.rax, 5)
            guest.set(.cpl, 0)
            guest.send(.vmmcall)
        }
        let trace = try comparison(try session(program.image)).traces[0]
        #expect(trace.isSame)
        guard case .same(let left, let right) = trace.entries[0] else { return }
        let values = [left, right].map { $0.request.first { $0.name == "rbx" }?.value }
        #expect(values[0]?.content != values[1]?.content)
        #expect(values[0]?.place == .stack(vcpu: 0, offset: -0x88))
        #expect(left.key == right.key)
    }

    @Test("a number that lies in a stack by chance is the same number")
    func chance() throws {
        let pages = LaunchPlan.SetupPages(stacks: [0x1000..<0x2000])
        let here = ComparedExchange.Places(pages: pages, entryStacks: [0: 0x1800])
        let there = ComparedExchange.Places(pages: pages, entryStacks: [0: 0x1810])
        func exchange(_ rax: UInt64, _ places: ComparedExchange.Places) -> ComparedExchange {
            ComparedExchange(sequence: 1, pageExchange(code: 0x72, rax: rax), places)
        }
        #expect(exchange(0x1700, here).differences(from: exchange(0x1700, there)).isEmpty)
        #expect(exchange(0x1700, here).differences(from: exchange(0x1710, there)).isEmpty)
        #expect(
            exchange(0x1700, here).differences(from: exchange(0x1720, there)).map(\.name)
                == ["rax"])
        let alignment = SequenceAlignment(
            [exchange(0x1700, here)], [exchange(0x1700, there)], window: 9, key: \.key,
            kind: \.kind)
        #expect(alignment.entries.count == 1)
    }

    // MARK: Ends

    @Test("a guest that never ends is stopped, and where it was stopped is no difference")
    func endless() throws {
        // 1: WBINVD; jmp 1b
        let program = GuestProgram { guest in
            let start = guest.code.count
            guest.begin()
            guest.send(.wbinvd)
            let distance = UInt64(bitPattern: Int64(start - guest.code.count - 5))
            guest.append(0xe9)
            for byte in distance.littleEndianBytes(4) { guest.append(byte) }
        }
        let session = try session(program.image)
        session.comparisonBudget = RunBudget(instructions: 20_003, vmgexits: 1_000_000)
        let comparison = try comparison(session)
        let runs = try [comparison.left, comparison.right].map { try $0.run.get() }
        #expect(runs.map(\.ending) == [.instructionLimit(20_003), .instructionLimit(20_003)])
        #expect(runs.allSatisfy { (20_003..<22_000).contains($0.instructions.value ?? 0) })
        #expect(comparison.traces[0].isSame && comparison.traces[0].isPart)
        let lines = CommandAnswer.comparison(comparison).lines
        #expect(lines.contains("pool: stopped after 20003 instructions"))
        #expect(lines.last?.hasPrefix("VMGEXITs: the first ") == true)
        #expect(try record(session)["identical"] is NSNull)
        session.comparisonBudget = RunBudget(instructions: .max, vmgexits: 300)
        let fewer = try self.comparison(session)
        #expect(try fewer.left.run.get().ending == .exitLimit(300))
        #expect(try fewer.left.run.get().vmgexits == 300)
        #expect(try fewer.right.run.get().vmgexits == 300)
    }

    @Test("an entry that is never reached is no number")
    func notReached() throws {
        let session = try session(GuestImage.load("hello")) { plan in
            // The trampoline goes straight to the stub's end.
            if let end = plan.symbols["sevdbg_returned_halt"] {
                plan.vcpus[0].registers[.r14] = end.rawValue
            }
        }
        let run = try comparison(session).left.run.get()
        #expect(run.instructionsToEntry == .known(nil, from: .direct))
        #expect(run.lostArguments == .known(nil, from: .direct))
        #expect(run.ending == .guest(.returned, nil, detail: nil))
        #expect(run.msrWritesBeforeEntry == .known(1, from: .direct))
    }

    @Test("arguments that did not arrive are named")
    func lost() {
        var facts = SetupFacts()
        var found = RegisterFile()
        found[.rcx] = 7
        facts.observe(.ghcbMSRWrite(vcpu: 1, rip: .init(0), value: 0x1000))
        facts.observe(.ghcbMSRWrite(vcpu: 0, rip: .init(0), value: 0x1000))
        facts.observe(
            .entered(vcpu: 0, rip: .init(0), expected: [.rdi: 0, .rdx: 1, .rcx: 2], found: found))
        facts.observe(.ghcbMSRWrite(vcpu: 0, rip: .init(0), value: 0x2000))
        #expect(facts.lostArguments == [.rdx, .rcx])
        #expect(facts.msrWrites == 3)
        #expect(facts.msrWritesBeforeEntry == 1)
    }

    @Test("what SEV-ES hides is hidden, never zero; setup host is refused with the reason")
    func hardware() throws {
        let session = try session(GuestImage.load("hello"), visibility: .hardware)
        let comparison = try comparison(session, "compare host trampoline")
        guard case .failure(let refusal) = comparison.left.run else {
            Issue.record("host ran")
            return
        }
        #expect(refusal.message.contains("cannot preset the GHCB MSR"))
        let run = try comparison.right.run.get()
        #expect(run.instructionsToEntry == .hidden(.protected))
        #expect(run.msrWrites == .hidden(.protected))
        #expect(run.msrWritesBeforeEntry == .hidden(.protected))
        #expect(run.lostArguments == .hidden(.protected))
        #expect(run.vmgexits == 1)
        #expect(run.ending == .guest(.returned, nil, detail: nil))
        let record = try record(session)
        let setups = try #require(record["setups"] as? [[String: Any]])
        for name in ["instructionsToEntry", "msrWritesBeforeEntry", "msrWrites", "argumentsLost"] {
            #expect(setups[0][name] is NSNull)
        }
        #expect(setups[0]["from"] as? String == "protected")
        #expect(record["identical"] as? Bool == true)
        let lines = CommandAnswer.comparison(comparison).lines
        #expect(lines.contains("instructions to the entry   -                         <protected>"))
        #expect(lines.contains { $0.hasPrefix("host: emulator cannot preset") })
        #expect(lines.allSatisfy { $0.count <= 80 })
    }

    @Test("findings of each setup are counted and named")
    func findings() throws {
        // Asks for something of SEV-SNP, and the VM ends.
        let program = GuestProgram {
            $0.writeMSR(0x010); $0.vmgexit()
        }
        let lines = try answer(try session(program.image)).lines
        #expect(lines.contains("findings                    1 error                   1 error"))
        #expect(lines.contains("trampoline: error msr-request-kills-es"))
        #expect(lines.contains("end                         terminated                terminated"))
    }

    // MARK: The user's guest

    @Test("the user's guest, breakpoints and console stay as they are")
    func untouched() throws {
        let session = try session(GuestImage.load("hello"), LaunchOptions(setup: .host))
        _ = events(session, "break put_line")
        _ = events(session, "break *0x100000")
        _ = events(session, "continue")
        let before = session.snapshot()
        let events = events(session, "compare")
        #expect(events.count == 1)
        #expect(session.snapshot().registers == before.registers)
        #expect(session.snapshot().instructions == before.instructions)
        #expect(session.findings.isEmpty)
        let comparison = try comparison(session)
        #expect([comparison.left.setup, comparison.right.setup] == [.host, .trampoline])
        #expect(try comparison.left.run.get().instructionsToEntry == .known(0, from: .direct))
        #expect(comparison.traces[0].isSame && !comparison.traces[0].isPart)
        session.submit("continue")
        var last: SessionEvent?
        while let event = session.next() { last = event }
        #expect(session.end?.reason == .returned)
        guard case .end? = last else { return }
    }

    @Test("Ctrl-C stops it: the second run does not start, and the session goes on")
    func interrupted() throws {
        let machines = Atomic<Int>(0)
        let flag = InterruptFlag()
        let image = try GuestImage.load("spin")
        let session = try Session(
            SessionConfiguration(image: image, options: LaunchOptions(), interruptFlag: flag) {
                plan, _, interrupt throws(MachineError) in
                let count = machines.add(1, ordering: .relaxed).newValue
                if count == 2 { interrupt.raise() }
                return try EmulatedMachine(plan, interrupt: interrupt)
            })
        _ = session.next()
        let all = events(session, "compare")
        guard case .stop(let stop) = all.first, case .result(let result) = all.last,
            case .comparison(let comparison) = try result.outcome.get()
        else {
            Issue.record("\(all)")
            return
        }
        #expect(stop.reason == .interrupted)
        #expect(try comparison.left.run.get().ending == .interrupted)
        #expect(throws: CommandFailure("not run: compare was interrupted")) {
            try comparison.right.run.get()
        }
        #expect(machines.load(ordering: .relaxed) == 2)
        #expect(!flag.isRaised)
        #expect(events(session, "stepi").count == 2)
    }

    // MARK: Arguments

    @Test("fewer than two setups: the current one, and the other of pool and trampoline")
    func defaults() throws {
        func setups(_ setup: GHCBSetup, _ line: String) throws -> [GHCBSetup] {
            let comparison = try comparison(
                try session(GuestImage.load("hello"), LaunchOptions(setup: setup)), line)
            return [comparison.left.setup, comparison.right.setup]
        }
        #expect(try setups(.trampoline, "compare") == [.trampoline, .pool])
        #expect(try setups(.pool, "compare") == [.pool, .trampoline])
        #expect(try setups(.host, "compare") == [.host, .trampoline])
        #expect(try setups(.pool, "compare host") == [.pool, .host])
        #expect(try setups(.pool, "compare pool") == [.pool, .trampoline])
        #expect(try setups(.pool, "compare host host") == [.host, .host])
    }

    @Test("wrong arguments are named")
    func wrong() {
        #expect(
            throws: CommandFailure(
                "compare: there is no GHCB setup `swim`; choose from pool, trampoline, host")
        ) { try CommandParser.parse("compare swim") }
        #expect(
            throws: CommandFailure(
                "compare: `host` is one setup too many; give at most two")
        ) { try CommandParser.parse("compare pool trampoline host") }
        #expect(CommandTable.completion(of: "compare pool t", in: .init()).words == ["trampoline"])
    }
}
