import Testing

@testable import DebugUI
@testable import VCPUControl

@Suite("Screens")
struct ScreenTests {
    private static let sizes = [(80, 24), (120, 40)]

    @Test("the main screen shows all five panes", arguments: sizes)
    func main(columns: Int, rows: Int) throws {
        try Screens.check(Story.told(columns, rows), "main-\(columns)x\(rows)")
    }

    @Test("every register is shown once")
    func registers() {
        #expect(Set(RegistersView.order) == Set(Register.allCases))
        #expect(RegistersView.order.count == Register.allCases.count)
        #expect(Set(RegistersView.systemOrder) == Set(SystemRegisterName.allCases))
        #expect(RegistersView.systemOrder.count == SystemRegisterName.allCases.count)
    }

    @Test("before the first command there is a guest at its entry", arguments: sizes)
    func entry(columns: Int, rows: Int) throws {
        var state = Story.state(columns, rows)
        for event in Story.events().prefix(2) { _ = update(&state, event) }
        try Screens.check(state, "entry-\(columns)x\(rows)")
    }

    @Test("ASCII draws the same screen without any other character")
    func ascii() throws {
        let state = Story.told(ascii: true)
        #expect(render(state, state.size).text.utf8.allSatisfy { $0 == 10 || 0x20...0x7e ~= $0 })
        try Screens.check(state, "ascii-80x24")
    }

    @Test("what SEV-ES hides is shown as hidden, never as a number", arguments: sizes)
    func hidden(columns: Int, rows: Int) throws {
        let state = Story.told(columns, rows, then: [.finished(Story.hidden)])
        try Screens.check(state, "hidden-\(columns)x\(rows)")
    }

    @Test("what the debug stub says is shown as its word", arguments: sizes)
    func reported(columns: Int, rows: Int) throws {
        let state = Story.told(columns, rows, then: [.finished(Story.reported)])
        try Screens.check(state, "reported-\(columns)x\(rows)")
    }

    @Test("a refused VMGEXIT says why beside its fields", arguments: sizes)
    func malformed(columns: Int, rows: Int) throws {
        let events: [UIEvent] = [
            .session([.vmgexit(sequence: 4, Story.malformed)]),
            .finished(Story.snapshot(rip: 0x10000d, exchange: Story.malformed)),
            .key("3"), .key("z"),
        ]
        try Screens.check(Story.told(columns, rows, then: events), "malformed-\(columns)x\(rows)")
    }

    @Test("the MSR protocol shows request and response in words")
    func msrProtocol() throws {
        let state = Story.told(then: [.key("4"), .key(.home)])
        try Screens.check(state, "msr-80x24")
    }

    @Test("with several vCPUs every line says whose it is", arguments: sizes)
    func vcpus(columns: Int, rows: Int) throws {
        try Screens.check(Story.told(columns, rows, vcpus: 2), "vcpus-\(columns)x\(rows)")
    }

    @Test("the help lists every action", arguments: sizes)
    func help(columns: Int, rows: Int) throws {
        try Screens.check(Story.told(columns, rows, then: [.key("?")]), "help-\(columns)x\(rows)")
    }

    @Test("the command line takes the key line, with the cursor in it", arguments: sizes)
    func commandLine(columns: Int, rows: Int) throws {
        let state = Story.told(columns, rows, then: Story.keys(":x/4gx $rsp") + [.key(.left)])
        #expect(render(state, state.size).cursor == Position(row: rows - 1, column: 10))
        try Screens.check(state, "command-\(columns)x\(rows)")
    }

    @Test("quitting a live guest asks", arguments: sizes)
    func quit(columns: Int, rows: Int) throws {
        try Screens.check(Story.told(columns, rows, then: [.key("q")]), "quit-\(columns)x\(rows)")
    }

    @Test("an answer of several lines has a box that can be scrolled", arguments: sizes)
    func answer(columns: Int, rows: Int) throws {
        let lines = (0..<60).map { "0x10030\(String($0, radix: 16)): 0x0000000000000000" }
        let result = CommandResult(command: "x/60gx $rsp", outcome: .success(.text(lines)))
        let state = Story.told(columns, rows, then: [.session([.result(result)]), .key(.down)])
        try Screens.check(state, "answer-\(columns)x\(rows)")
    }

    @Test("a failure stands in full above the keys", arguments: sizes)
    func failure(columns: Int, rows: Int) throws {
        let message =
            "cannot set a breakpoint at `guest_cod`: the guest has no such symbol; "
            + "`info memory` lists what is mapped, and WHERE may be an address like 0x100000"
        let result = CommandResult(
            command: "break guest_cod", outcome: .failure(CommandFailure(message)))
        let state = Story.told(columns, rows, then: [.session([.result(result)])])
        try Screens.check(state, "failure-\(columns)x\(rows)")
    }

    @Test("a zoomed pane has the whole screen", arguments: sizes)
    func zoomed(columns: Int, rows: Int) throws {
        try Screens.check(
            Story.told(columns, rows, then: [.key("1"), .key("z")]), "zoom-\(columns)x\(rows)")
    }

    @Test("a running guest shows that, and the key that stops it")
    func running() throws {
        try Screens.check(Story.told(then: [.key("c")]), "running-80x24")
    }

    private func ran(_ progress: RunProgress) -> [UIEvent] {
        [
            .running(Story.progress(instructions: 1_000_000), elapsed: .seconds(11)),
            .running(progress, elapsed: .seconds(12)),
        ]
    }

    @Test("a guest that was looked at shows where it is and how fast", arguments: sizes)
    func live(columns: Int, rows: Int) throws {
        let events = [.key("c")] + ran(Story.progress(17, instructions: 99_700_000))
        try Screens.check(Story.told(columns, rows, then: events), "live-\(columns)x\(rows)")
    }

    @Test("every vCPU of a running guest is shown", arguments: sizes)
    func liveVCPUs(columns: Int, rows: Int) throws {
        let progress = Story.progress(17, vcpus: 4, instructions: 99_700_000)
        let state = Story.told(columns, rows, vcpus: 4, then: [.key("c")] + ran(progress))
        try Screens.check(state, "live-vcpus-\(columns)x\(rows)")
    }

    @Test("a command whose end is known shows how much is done", arguments: sizes)
    func progress(columns: Int, rows: Int) throws {
        let extent = RunProgress.Extent(done: 4_860_000, total: 10_000_000)
        let events =
            Story.keys(":stepi 10000000") + [.key(.enter)]
            + ran(Story.progress(17, instructions: 4_860_042, extent: extent))
        try Screens.check(Story.told(columns, rows, then: events), "progress-\(columns)x\(rows)")
        try Screens.check(
            Story.told(80, 24, ascii: true, then: events), "progress-ascii-80x24")
    }

    @Test("a comparison under way says which setup runs", arguments: sizes)
    func comparing(columns: Int, rows: Int) throws {
        let extent = RunProgress.Extent(done: 60_000_000, total: 100_000_000)
        let progress = Story.progress(
            instructions: 60_000_000, extent: extent, compared: .pool)
        let events: [UIEvent] = [.key("d"), .running(progress, elapsed: .seconds(2))]
        try Screens.check(Story.told(columns, rows, then: events), "comparing-\(columns)x\(rows)")
    }

    @Test("two setups side by side, differences marked", arguments: sizes)
    func comparison(columns: Int, rows: Int) throws {
        let events: [UIEvent] = [.session([Story.compared(Story.differing)]), .key("n"), .key("n")]
        try Screens.check(Story.told(columns, rows, then: events), "comparison-\(columns)x\(rows)")
    }

    @Test("two setups under which the guest does the same", arguments: sizes)
    func identical(columns: Int, rows: Int) throws {
        let events: [UIEvent] = [.session([Story.compared(Story.identical)]), .key("n")]
        try Screens.check(Story.told(columns, rows, then: events), "identical-\(columns)x\(rows)")
    }

    @Test("the words that a line may go on with stand above it in columns", arguments: sizes)
    func menu(columns: Int, rows: Int) throws {
        let events = Story.keys(":vg m") + [.key(.tab), .key(.tab), .key(.tab)]
        try Screens.check(Story.told(columns, rows, then: events), "menu-\(columns)x\(rows)")
    }

    @Test("a menu takes a third of the screen at most, and follows the choice")
    func longMenu() throws {
        let events = Story.keys(":vg ") + [.key(.tab), .key(.backTab)]
        try Screens.check(Story.told(then: events), "long-menu-80x24")
    }

    @Test("a search has its text in front of the line that has it")
    func search() throws {
        var state = Story.told(then: Story.keys(":x/4gx $rsp") + [.key(.enter)])
        for event in [.finished(Story.snapshot())] + Story.keys(":") + [.key(.control("r"))]
            + Story.keys("gx")
        {
            _ = update(&state, event)
        }
        #expect(render(state, state.size).cursor == Position(row: 23, column: 11))
        try Screens.check(state, "search-80x24")
    }

    @Test("what was wrong stands right above the next line", arguments: sizes)
    func faultyLine(columns: Int, rows: Int) throws {
        let failure = CommandFailure("there is no command `brk`; `help` lists the commands")
        let result = CommandResult(command: "brk", outcome: .failure(failure))
        let events =
            Story.keys(":brk helper") + [
                .key(.enter), .session([.result(result)]), .finished(Story.snapshot()), .key(":"),
                .key(.up),
            ]
        try Screens.check(Story.told(columns, rows, then: events), "faulty-\(columns)x\(rows)")
    }

    @Test("a relaunch says what happened", arguments: sizes)
    func relaunched(columns: Int, rows: Int) throws {
        var launch = Story.launch()
        launch.ghcb = "pool"
        let relaunch = Relaunch(setup: .pool, previous: .trampoline, kept: 2, lost: [])
        let events: [UIEvent] = [
            .session([
                .launch(launch),
                .result(.init(command: "ghcb pool", outcome: .success(.relaunched(relaunch)))),
            ]), .finished(Story.snapshot(breakpoints: [0x100010])),
        ]
        try Screens.check(Story.told(columns, rows, then: events), "relaunched-\(columns)x\(rows)")
    }

    @Test("a guest that came to its end says how")
    func ended() throws {
        let termination = Termination.requested(set: 1, code: 4)
        let detail = "the guest asked for termination: reason set 1, code 4"
        let state = Story.told(then: [
            .session([
                .stop(Story.stop(.terminated, rip: 0x10000d, detail: detail)),
                .end(Story.end(.terminated, termination)),
            ])
        ])
        try Screens.check(state, "ended-80x24")
    }

    @Test("the smallest screen has everything, and a smaller one says what it needs")
    func small() throws {
        try Screens.check(Story.told(60, 16), "main-60x16")
        try Screens.check(Story.told(59, 16), "small-59x16")
        for (columns, rows) in [(0, 0), (1, 1), (60, 15), (5, 3)] {
            let state = Story.told(columns, rows, then: [.key("?"), .key(":"), .key("q")])
            #expect(render(state, state.size).cells.count == columns * rows)
        }
    }
}
