import Testing

@testable import DebugUI
@testable import VCPUControl

@Suite("Panes")
struct PaneTests {
    private func after(
        _ events: [UIEvent], vcpus: Int = 1, _ columns: Int = 80, _ rows: Int = 24
    ) -> (effects: [Effect], state: UIState) {
        var state = Story.told(columns, rows, vcpus: vcpus)
        var effects: [Effect] = []
        for event in events { effects = Story.tell(&state, event) }
        return (effects, state)
    }

    private func press(_ text: String, _ keys: Key...) -> (effects: [Effect], state: UIState) {
        after(Story.keys(text) + keys.map { .key($0) })
    }

    private static let findings: [UIEvent] = [
        .session([.finding(Story.finding), .finding(Story.note)])
    ]

    // MARK: What is looked at

    @Test("memory is asked for when it is shown, once, and not while the guest runs")
    func look() throws {
        #expect(press("4").effects == [])
        let (effects, state) = press("6")
        #expect(effects == [.look(state.request)])
        #expect(try #require(state.snapshot?.memory).rows.count == Layout(state)[.memory].rows)
        #expect(after([.key("6"), .key(.tab)]).effects == [])
        #expect(after([.key("6"), .key("s"), .resize(Size(columns: 120, rows: 40))]).effects == [])
        // A second key before the answer asks for nothing twice.
        var waiting = Story.told()
        #expect(update(&waiting, .key("6")).count == 1)
        #expect(update(&waiting, .key(.left)) == [])
    }

    @Test("memory follows its expression until it is scrolled, and Esc goes back")
    func memory() {
        #expect(press("6").state.request.memory?.start == nil)
        let down = after([.key("6"), .key(.down)]).state
        let first = down.snapshot?.memory?.rows.first?.address.rawValue ?? 0
        let up = after([.key("6"), .key(.down), .key(.up), .key(.up)]).state
        #expect(up.snapshot?.memory?.rows.first?.address.rawValue == first - 16)
        let paged = after([.key("6"), .key(.down), .key(.pageDown)]).state
        let page = UInt64(Layout(paged)[.memory].rows - 1)
        #expect(paged.snapshot?.memory?.rows.first?.address.rawValue == first + 8 * page)
        #expect(after([.key("6"), .key(.down), .key(.escape)]).state.memory == MemoryPlace())
    }

    @Test("memory goes on below address 0")
    func circle() {
        let keys = Story.keys("6a0x0") + [.key(.enter), .located("0x0", .success(.init(0)))]
        let state = after(keys + [.key(.up)]).state
        #expect(state.snapshot?.memory?.rows.first?.address == .init(0xffff_ffff_ffff_fff8))
        #expect(state.snapshot?.memory?.rows[1].address == .init(0))
    }

    @Test("a asks where the expression leads, for the code where that has the keys")
    func address() {
        let (effects, state) = press("4aguest_code", .enter)
        #expect(effects == [.locate("guest_code")])
        #expect(state.focus == .memory)
        let found = after([
            .key("6"), .located("guest_code", .success(.init(0x100000))),
        ]).state
        #expect(found.memory == MemoryPlace(expression: "guest_code"))
        let code = after([.key("2"), .located("print_hex", .success(.init(0x100020)))]).state
        #expect(code.codeCursor == .init(0x100020))
        #expect(code.request.code == .init(0x100020))
        #expect(
            after([.key("2"), .located("x", .success(.init(1))), .key(.escape)]).state
                .request.code == nil)
        let failed = after([.key("6"), .located("x", .failure(CommandFailure("no x")))]).state
        #expect(failed.message == .init(text: "no x", isError: true))
        #expect(failed.memory == MemoryPlace())
    }

    @Test("near the end of the code that is there, more is asked for")
    func code() {
        let (effects, state) = press("2", .end)
        #expect(effects == [.look(SnapshotRequest(code: .init(0x100033)))])
        #expect(state.codeCursor == .init(0x100033))
        let stop = after([
            .key("2"), .key(.end), .session([.stop(Story.stop(.step, rip: 0x10000d))]),
        ])
        #expect(stop.state.request.code == nil)
    }

    @Test("a step moves the mark and not the code, for as long as RIP is in sight")
    func steady() {
        var state = Story.told()
        var tops: [Int] = []
        for line in Story.code {
            let rip = line.address.rawValue
            _ = Story.tell(&state, .session([.stop(Story.stop(.step, rip: rip))]))
            _ = Story.tell(&state, .finished(Story.snapshot(rip: rip)))
            let area = Layout(state)[.code]
            let content = PaneContent(.code, in: state, width: area.columns)
            let top = content.top(rows: area.rows)
            #expect((top..<top + area.rows).contains(content.cursor ?? -1))
            if tops.last != top { tops.append(top) }
        }
        #expect(tops.count < Story.code.count / 2)
    }

    @Test("a byte is marked that differs from the stop before, and none that nobody saw")
    func changed() {
        let step: [UIEvent] = [
            .session([.stop(Story.stop(.step, rip: 0x100010))]),
            .finished(Story.snapshot(rip: 0x100010)),
        ]
        func marks(_ events: [UIEvent]) -> Int {
            let state = after(events).state
            let content = PaneContent(.memory, in: state, width: 55)
            return (0..<content.count).map { content.line($0).text }.joined()
                .split(separator: " ").count { $0.hasPrefix("*") }
        }
        #expect(marks([.key("6")]) == 0)
        #expect(marks([.key("6")] + step) == 1)
        #expect(marks(step + [.key("6")]) == 0)
        #expect(marks([.key("6")] + step + step) == 0)
    }

    // MARK: Lists

    @Test("findings are counted in the title of their pane, wherever that is")
    func badge() {
        #expect(Story.told().findings.badge == "")
        let state = after(Self.findings).state
        #expect(state.findings.badge == "(2!)")
        #expect(render(state, state.size).text.contains("7 findings(2!)"))
        #expect(after([.session([.finding(Story.note)])]).state.findings.badge == "(1)")
    }

    @Test("Enter shows a finding whole, o goes to its VMGEXIT or its code")
    func finding() {
        let shown = after(Self.findings + [.key("7"), .key(.up), .key(.enter)]).state
        let text = shown.answer?.lines.joined(separator: " ") ?? ""
        for word in [Story.finding.rule.id, "RCX is not valid", "#3", Story.finding.spec] {
            #expect(text.contains(word))
        }
        let exit = after(Self.findings + [.key("7"), .key(.up), .key("o")]).state
        #expect(exit.focus == .log && exit.log.chosen == 3)
        let none = after(Self.findings + [.key("7"), .key("o")]).state
        #expect(none.focus == .findings && none.message?.isError == true)
    }

    @Test("o shows the exit of a finding even where a filter hides it")
    func hiddenExit() {
        let keys = Story.keys("4\\IOIO") + [.key(.enter), .key("7"), .key(.up), .key("o")]
        let state = after(Self.findings + keys).state
        #expect(state.log.filter == nil)
        #expect(state.log.chosenEntry?.number == 3)
    }

    @Test("Enter in the vCPUs chooses the one that the cursor is on")
    func vcpus() {
        #expect(
            after([.key("8"), .key(.down), .key(.enter)], vcpus: 2).effects
                == [.command("vcpu 1")])
        #expect(after([.key("8"), .key(.enter)], vcpus: 2).effects == [.command("vcpu 0")])
        let code = after([.key("8"), .key(.down), .key("o")], vcpus: 2).state
        #expect(code.focus == .code && code.codeCursor == .init(0x10000d))
    }

    // MARK: Search and filter

    @Test("a search goes on in a circle and says so")
    func search() {
        let found = press("4/exit", .enter).state
        #expect(found.message?.isError == true)
        let first = press("4/sev_info", .enter).state
        #expect(first.log.chosen == 1)
        #expect(first.message?.text == "/sev_info: 1 of 1, from the top again")
        #expect(press("1/r1", .enter).state.scroll[0].hit == 10)
        #expect(press("1/r1", .enter, ".").state.scroll[0].hit == 11)
        #expect(press("1/r1", .enter, ".", ",").state.scroll[0].hit == 10)
        #expect(press("1/r1", .enter, ",").state.message?.text.contains("bottom") == true)
        #expect(press("1/r1", .enter, "/", .enter).state.scroll[0].hit == 11)
        #expect(press("1.").state.message?.isError == false)
    }

    @Test("every pane can be searched for what it shows")
    func everywhere() {
        for pane in Pane.allCases {
            let digit = UIEvent.key(.character(Unicode.Scalar(UInt8(48 + pane.number))))
            var state = after(Self.findings + [digit]).state
            let area = Layout(state)[pane]
            let content = PaneContent(pane, in: state, width: area.columns)
            let text = content.line(content.count - 1).text
            let word = text.split(separator: " ").max { $0.count < $1.count } ?? ""
            for event in Story.keys("/\(word)") + [.key(.enter)] { _ = Story.tell(&state, event) }
            #expect(state.message?.isError == false, "\(pane) \(word)")
            let now = PaneContent(pane, in: state, width: area.columns)
            let row = now.cursor ?? state.scroll[pane.rawValue].hit ?? -1
            #expect(now.line(row).text.contains(word), "\(pane)")
            let top = now.top(rows: area.rows)
            #expect((top..<top + area.rows).contains(row), "\(pane)")
        }
    }

    @Test("small letters find both cases, capitals only themselves")
    func pattern() throws {
        let small = try #require(TextPattern("cpuid"))
        #expect(small.isFound(in: "a CPUID") && small.isFound(in: "cpuid"))
        let capital = try #require(TextPattern("Cpuid"))
        #expect(!capital.isFound(in: "CPUID") && capital.isFound(in: "xCpuid"))
        #expect(TextPattern("") == nil)
        #expect(small.offset(in: Array("cpu".utf8)) == nil)
    }

    @Test("a filter is in the title, refuses nonsense, and Esc takes it away")
    func filter() {
        let state = press("4\\CPUID", .enter).state
        #expect(state.log.shown.map(\.number) == [3])
        #expect(PaneContent(.log, in: state, width: 55).title == "\\CPUID 1 of 3")
        #expect(press("4\\CPUID", .enter, .escape).state.log.filter == nil)
        #expect(press("4\\CPUID", .enter, "\\").state.mode == .prompt(Prompt(.filter, "CPUID")))
        #expect(press("4\\nosuch", .enter).state.message?.isError == true)
        let console = press("5\\guest", .enter).state
        #expect(console.console.shown.count == 1)
        let findings = after(
            Self.findings + Story.keys("7\\stale") + [.key(.enter)]
        ).state
        #expect(findings.findings.shown.map(\.number) == [2])
        #expect(press("1\\").state.mode == .normal)
        #expect(press("1\\").state.message != nil)
    }

    @Test("a relaunch empties the lists and keeps their filters")
    func relaunch() {
        let keys = Story.keys("4\\CPUID") + [.key(.enter), .session([.launch(Story.launch())])]
        let state = after(Self.findings + keys).state
        #expect(state.log.entries.isEmpty && state.log.filter != nil)
        #expect(state.findings.entries.isEmpty && state.findings.badge == "")
    }

    // MARK: Layout

    @Test("every screen is covered, no pane twice, and each can be brought to the front")
    func layout() {
        for columns in stride(from: 60, through: 260, by: 7) {
            for rows in stride(from: 16, through: 90, by: 3) {
                let size = Size(columns: columns, rows: rows)
                let layout = Layout(size)
                let panes = layout.areas.flatMap { [$0.front] + $0.behind }
                #expect(Set(panes).count == 8 && panes.count == 8, "\(size)")
                let cells = layout.areas.map(\.frame) + layout.dividers
                let covered = cells.reduce(0) { $0 + $1.rows * $1.columns }
                #expect(covered == columns * (rows - 2), "\(size)")
                for pane in Pane.allCases {
                    #expect(Layout(size, recent: [pane])[pane].rows > 0, "\(size) \(pane)")
                }
            }
        }
    }

    @Test("every pane explains its marks")
    func help() {
        for pane in Pane.allCases {
            #expect(!pane.help.isEmpty)
            for (mark, meaning) in pane.help { #expect(mark.count <= 8 && meaning.count <= 67) }
        }
    }
}
