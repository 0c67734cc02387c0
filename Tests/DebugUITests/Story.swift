@testable import DebugUI
@testable import VCPUControl

/// A small guest's session, as values: what the screens of the tests show.
enum Story {
    static func launch(vcpus: Int = 1, protected: Bool = false) -> Launch {
        Launch(
            machine: "emulator", ghcb: "trampoline", ghcbVersion: 2, vcpus: vcpus, guest: "cpuid",
            entry: .init(0x100000), protectedState: protected)
    }

    // MARK: The guest standing still

    static let code: [Snapshot.Line] = [
        line(0x100000, [0x55], "push   %rbp", "guest_code"),
        line(0x100001, [0x48, 0x89, 0xe5], "mov    %rsp,%rbp"),
        line(0x100004, [0xb8, 0x1f, 0x00, 0x00, 0x80], "mov    $0x8000001f,%eax"),
        line(0x100009, [0x31, 0xc9], "xor    %ecx,%ecx"),
        line(0x10000b, [0x0f, 0xa2], "cpuid"),
        line(0x10000d, [0x48, 0x89, 0xc7], "mov    %rax,%rdi"),
        line(0x100010, [0xe8, 0x0b, 0, 0, 0], "call   0x100020 <print_hex>"),
        line(0x100015, [0x5d], "pop    %rbp"),
        line(0x100016, [0xc3], "ret"),
        line(0x100020, [0x53], "push   %rbx", "print_hex"),
        line(0x100021, [0x48, 0x89, 0xfb], "mov    %rdi,%rbx"),
        line(0x100024, [0xb9, 0x10, 0, 0, 0], "mov    $0x10,%ecx"),
        line(0x100029, [0x48, 0xc1, 0xc3, 0x04], "rol    $0x4,%rbx"),
        line(0x10002d, [0x88, 0xd8], "mov    %bl,%al"),
        line(0x10002f, [0x24, 0x0f], "and    $0xf,%al"),
        line(0x100031, [0xff, 0xc9], "dec    %ecx"),
        line(0x100033, [0x75, 0xf4], "jne    0x100029 <print_hex+0x9>"),
    ]

    private static func line(
        _ address: UInt64, _ bytes: [UInt8], _ text: String, _ symbol: String? = nil
    ) -> Snapshot.Line {
        Snapshot.Line(
            address: .init(address), bytes: bytes, text: text, symbol: symbol, hasBreakpoint: false)
    }

    static func registers(rip: UInt64, rax: UInt64 = 0, rflags: UInt64 = 2) -> RegisterFile {
        var file = RegisterFile()
        for (index, register) in Register.allCases.enumerated() {
            file[register] = UInt64(index) * 0x1111
        }
        file[.rsp] = 0x100_2ff8
        (file[.rip], file[.rax], file[.rflags]) = (rip, rax, rflags)
        return file
    }

    static var system: SystemRegisters {
        var system = SystemRegisters()
        (system.cr0, system.cr3, system.cr4) = (0x8005_0033, 0x8_0000_0100_4000, 0x6a0)
        (system.efer, system.ghcb) = (0xd01, 0x100_8000)
        system.cs = Segment(selector: 0x8, attributes: 0xa9b)
        return system
    }

    /// The guest as it stands at an address.
    static func snapshot(
        rip: UInt64 = 0x100000, rax: UInt64 = 0, rflags: UInt64 = 2, breakpoints: Set<UInt64> = [],
        vcpus: Int = 1, current: Int = 0, exchange: Exchange? = nil, vmgexits: Int = 0
    ) -> Snapshot {
        let code = code.map { line in
            var line = line
            line.hasBreakpoint = breakpoints.contains(line.address.rawValue)
            return line
        }
        return Snapshot(
            request: SnapshotRequest(), setup: .trampoline, machine: "emulator", guest: "cpuid",
            vcpus: (0..<vcpus).map { number in
                Snapshot.VCPU(
                    number: number, state: number == 0 ? .ready : .halted,
                    rip: .known(.init(rip), from: .direct), symbol: symbol(rip), instructions: 42)
            },
            current: current,
            registers: .known(registers(rip: rip, rax: rax, rflags: rflags), from: .direct),
            system: .known(system, from: .direct), code: .known(code, from: .direct),
            ghcbMSR: .known(0x100_8000, from: .direct),
            ghcbPage: .known(GHCBPage(), from: .direct), lastExchange: exchange,
            instructions: 42, vmgexits: vmgexits)
    }

    private static func symbol(_ address: UInt64) -> String {
        address < 0x100020
            ? "guest_code+0x" + String(address - 0x100000, radix: 16)
            : "print_hex+0x" + String(address - 0x100020, radix: 16)
    }

    /// What SEV-ES hardware lets a host see.
    static var hidden: Snapshot {
        var snapshot = snapshot(exchange: cpuid)
        snapshot.vcpus[0].rip = .hidden(.protected)
        snapshot.registers = .hidden(.protected)
        snapshot.system = .hidden(.protected)
        snapshot.code = .hidden(.protected)
        snapshot.ghcbMSR = .hidden(.protected)
        return snapshot
    }

    /// The guest in the middle of a command.
    static func progress(
        _ vmgexits: Int = 3, vcpus: Int = 1, instructions: UInt64 = 42,
        extent: RunProgress.Extent? = nil, compared: GHCBSetup? = nil
    ) -> RunProgress {
        RunProgress(
            vcpus: snapshot(rip: 0x100029, vcpus: vcpus).vcpus, current: 0,
            instructions: InstructionCount(instructions, isComplete: true), vmgexits: vmgexits,
            extent: extent, compared: compared)
    }

    /// The same through the stub: the guest's own word, and a count of what was stepped.
    static var reported: Snapshot {
        var snapshot = snapshot(rip: 0x100002, exchange: cpuid)
        let count = InstructionCount(3, isComplete: false)
        snapshot.vcpus[0].rip = .known(.init(0x100002), from: .selfReport)
        (snapshot.vcpus[0].instructions, snapshot.instructions) = (count, count)
        snapshot.registers = .known(registers(rip: 0x100002), from: .selfReport)
        snapshot.system = .known(system, from: .selfReport)
        snapshot.code = .known(code, from: .selfReport)
        return snapshot
    }

    // MARK: VMGEXITs

    /// A page with these fields, given by offset, valid.
    static func page(_ fields: [Int: UInt64], buffer: String = "") -> GHCBPage {
        var bytes = [UInt8](repeating: 0, count: GHCBPage.size)
        for (offset, value) in fields {
            bytes[0x3f0 + offset / 64] |= 1 << UInt8(offset / 8 % 8)
            for index in 0..<8 {
                bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
            }
        }
        bytes.replaceSubrange(0x800..<0x800 + buffer.utf8.count, with: Array(buffer.utf8))
        return GHCBPage(bytes) ?? GHCBPage()
    }

    static func exchange(
        _ content: Exchange.Content, _ outcome: Exchange.Outcome = .ok, vcpu: Int = 0,
        msr: UInt64 = 0x100_8000
    ) -> Exchange {
        Exchange(vcpu: vcpu, rip: .init(0x1003f2), msr: msr, content: content, outcome: outcome)
    }

    static let cpuid = exchange(
        .page(
            request: page([
                0x390: 0x72, 0x398: 0, 0x3a0: 0, 0x1f8: 0x8000_001f, 0x308: 0, 0x3e8: 3,
            ]),
            response: page([0x1f8: 0xa, 0x308: 0, 0x310: 0, 0x318: 0x173, 0x398: 0, 0x3a0: 0])))

    static let print = exchange(
        .page(
            request: page(
                [0x390: 0x7b, 0x398: 0x3f8_0e1c, 0x3a0: 6, 0x3a8: 0x100_8800], buffer: "hello\n"),
            response: page(
                [0x1f8: 0, 0x308: 0, 0x310: 0, 0x318: 0, 0x398: 0, 0x3a0: 0], buffer: "hello\n")))

    static let malformed = exchange(
        .page(
            request: page([0x390: 0x72, 0x398: 0, 0x3a0: 0, 0x1f8: 0x8000_001f]),
            response: page([0x398: 2, 0x3a0: 4])), .malformed(reason: 4))

    static let finding = Finding(
        .missingInput, vcpu: 0, rip: .known(.init(0x1003f2), from: .direct), sequence: 3,
        "RCX is not valid for CPUID (0x72)")

    static let note = Finding(
        .staleRequest, vcpu: 0, rip: .hidden(.protected), severity: .note,
        "RDX still holds 0x173 of the exchange before")

    static let sevInfo = exchange(.msr(response: 0x0002_0001_3300_0001), msr: 2)

    // MARK: Comparisons

    static func setupRun(
        _ exchanges: [Exchange] = [], ending: SetupRun.Ending = .guest(.returned, nil, detail: nil),
        toEntry: UInt64 = 12
    ) -> SetupRun {
        let pages = LaunchPlan.SetupPages(ghcbs: 0x100_8000..<0x100_9000, pool: 0..<0, stacks: [])
        let places = ComparedExchange.Places(pages: pages)
        let compared = exchanges.enumerated().map {
            ComparedExchange(sequence: $0.offset + 1, $0.element, places)
        }
        return SetupRun(
            instructionsToEntry: .known(toEntry, from: .direct),
            msrWritesBeforeEntry: .known(1, from: .direct), msrWrites: .known(1, from: .direct),
            lostArguments: .known([], from: .direct), pages: pages,
            instructions: .known(4711, from: .direct), breaches: [], ending: ending,
            traces: [.init(exchanges: compared, count: exchanges.count)])
    }

    static func comparison(_ left: [Exchange], _ right: [Exchange]) -> SetupComparison {
        SetupComparison(
            guest: "cpuid", vcpus: 1,
            left: .init(setup: .trampoline, run: .success(setupRun(left))),
            right: .init(setup: .pool, run: .success(setupRun(right, toEntry: 25))))
    }

    /// Twelve requests, of which one has another answer, and each side has one for itself.
    static let differing = comparison(
        [sevInfo, print, cpuid, sevInfo] + Array(repeating: print, count: 8),
        [print, malformed, sevInfo] + Array(repeating: print, count: 8) + [cpuid])

    static let identical = comparison([sevInfo, print, cpuid], [sevInfo, print, cpuid])

    static func compared(_ comparison: SetupComparison) -> SessionEvent {
        .result(.init(command: "compare", outcome: .success(.comparison(comparison))))
    }

    // MARK: States

    static func state(_ columns: Int, _ rows: Int, ascii: Bool = false) -> UIState {
        UIState(
            size: Size(columns: columns, rows: rows), glyphs: ascii ? .ascii : .unicode,
            symbols: ["guest_code", "print_hex", "print_line"])
    }

    /// Three VMGEXITs, a line on the console, and a stop behind the CPUID instruction.
    static func events(vcpus: Int = 1) -> [UIEvent] {
        [
            .session([.launch(launch(vcpus: vcpus))]), .finished(snapshot(vcpus: vcpus)),
            .session([
                .vmgexit(sequence: 1, sevInfo), .vmgexit(sequence: 2, print),
                .console(vcpu: 0, bytes: Array("hello\n\u{1b}[2Jguest\u{7}".utf8)),
                .vmgexit(sequence: 3, cpuid),
                .stop(stop(.step, rip: 0x10000d)),
            ]),
            .finished(
                snapshot(
                    rip: 0x10000d, rax: 0xa, rflags: 0x246, breakpoints: [0x100010], vcpus: vcpus,
                    exchange: cpuid, vmgexits: 3)),
        ]
    }

    static func stop(_ reason: Stop.Reason, rip: UInt64, detail: String? = nil) -> Stop {
        Stop(
            reason: reason, vcpu: 0, rip: .known(.init(rip), from: .direct), symbol: nil,
            instruction: nil, registers: .hidden(.protected), detail: detail)
    }

    static func end(_ reason: End.Reason, _ termination: Termination? = nil) -> End {
        End(reason: reason, termination: termination, instructions: 42, vmgexits: 3, findings: 0)
    }

    /// Answers what the state asks for, as a session would.
    static func tell(_ state: inout UIState, _ event: UIEvent) -> [Effect] {
        let effects = update(&state, event)
        for case .look(let request) in effects {
            guard let snapshot = state.snapshot else { continue }
            _ = update(&state, .looked(StoryMemory.answer(request, snapshot)))
        }
        return effects
    }

    /// A state after the story, and after some more events.
    static func told(
        _ columns: Int = 80, _ rows: Int = 24, ascii: Bool = false, vcpus: Int = 1,
        then more: [UIEvent] = []
    ) -> UIState {
        var state = state(columns, rows, ascii: ascii)
        for event in events(vcpus: vcpus) + more { _ = tell(&state, event) }
        return state
    }

    /// The effects of the last of these events behind the story, and the state after it.
    static func after(_ events: [UIEvent], vcpus: Int = 1) -> (effects: [Effect], state: UIState) {
        var state = told(vcpus: vcpus)
        var effects: [Effect] = []
        for event in events { effects = tell(&state, event) }
        return (effects, state)
    }

    /// Keys as events: one for each character.
    static func keys(_ text: String) -> [UIEvent] {
        text.unicodeScalars.map { .key(.character($0)) }
    }
}
