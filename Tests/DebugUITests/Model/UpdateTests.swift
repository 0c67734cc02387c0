import Testing

@testable import DebugUI
@testable import VCPUControl

@Suite("update")
struct UpdateTests {
    private func after(_ events: [UIEvent], vcpus: Int = 1) -> (effects: [Effect], state: UIState) {
        Story.after(events, vcpus: vcpus)
    }

    private func press(_ keys: Key..., vcpus: Int = 1) -> (effects: [Effect], state: UIState) {
        after(keys.map { .key($0) }, vcpus: vcpus)
    }

    @Test(
        "keys that drive the guest are commands",
        arguments: [
            ("s", "stepi"), ("n", "nexti"), ("g", "vmgexit"), ("c", "continue"), ("m", "ghcb host"),
            ("d", "compare"),
            ("v", "vcpu 1"), ("V", "vcpu 1"), ("b", "break 0x10000d"),
        ] as [(Key, String)])
    func commands(key: Key, command: String) {
        let (effects, state) = press(key, vcpus: 2)
        #expect(effects == [.command(command)])
        #expect(state.isRunning)
    }

    @Test("no key is bound twice, and every action explains itself")
    func table() {
        let keys = Action.all.flatMap(\.keys)
        #expect(Set(keys).count == keys.count)
        for action in Action.all {
            #expect(!action.keys.isEmpty && !action.help.isEmpty && action.help.count <= 34)
        }
        let help = HelpView.rows(KeyMap(), width: 80).map { $0.spans.map(\.text).joined() }.joined()
        for action in Action.all { #expect(help.contains(action.help)) }
    }

    @Test("every key in every mode is taken without harm")
    func everyKey() {
        let keys = Action.all.flatMap(\.keys) + [.enter, .backspace, .delete, "y", "é", " "]
        let starts: [[UIEvent]] = [
            [], [.key(":")], [.key("?")], [.key("q")], [.key("c")],
            [.session([Story.compared(Story.differing)])], Story.keys(":b") + [.key(.tab)],
            [.key(":"), .key(.control("r"))],
            [.session([.result(.init(command: "x", outcome: .success(.text(["a", "b"]))))])],
        ]
        for start in starts {
            var state = Story.told(then: start)
            for key in keys {
                _ = update(&state, .key(key))
                #expect(render(state, state.size).size == state.size)
            }
        }
    }

    @Test("a running guest takes an interrupt and no other command")
    func running() {
        #expect(press("c", "s").effects == [])
        #expect(press("c", "s").state.message?.isError == true)
        #expect(press("c", .control("c")).effects == [.interrupt])
        #expect(press("c", ":", .control("c")).effects == [.interrupt])
        #expect(press(.control("c")).effects == [])
        #expect(press(.control("c")).state.message != nil)
    }

    @Test("a snapshot ends the command")
    func finished() {
        let (_, state) = after([.key("s"), .finished(Story.snapshot())])
        #expect(!state.isRunning)
    }

    @Test("b works on the cursor's line, and clears a breakpoint that is there")
    func breakpoint() {
        #expect(press("2", .up, "b").effects == [.command("break 0x10000b")])
        #expect(press("2", .down, "b").effects == [.command("clear 0x100010")])
        let hidden = after([.finished(Story.hidden), .key("b")])
        #expect(hidden.effects == [])
        #expect(hidden.state.message?.isError == true)
    }

    @Test("a stop takes the cursors back")
    func stop() {
        let (_, state) = after([
            .key("2"), .key(.up), .key("4"), .key(.up),
            .session([.stop(Story.stop(.step, rip: 0x10000d))]),
        ])
        #expect(state.codeCursor == nil)
        #expect(state.logCursor == nil)
    }

    @Test("the chosen exchange stays chosen while others come")
    func chosen() {
        let (_, state) = after([
            .key("4"), .key(.up), .session([.vmgexit(sequence: 4, Story.print)]),
        ])
        #expect(state.selectedExchange?.sequence == 2)
    }

    @Test("panes are chosen by digit and in a circle")
    func panes() {
        for pane in Pane.allCases {
            let digit = Key.character(Unicode.Scalar(UInt8(48 + pane.number)))
            #expect(press(digit).state.focus == pane)
        }
        #expect(press("5", .tab).state.focus == .registers)
        #expect(press("1", .backTab).state.focus == .console)
        #expect(press("z").state.isZoomed)
        #expect(!press("z", "z").state.isZoomed)
    }

    @Test("scrolling stops at both ends, and Esc goes back")
    func scrolling() {
        let down = [Key](repeating: .down, count: 100).map { UIEvent.key($0) }
        let (_, state) = after([.key("1")] + down)
        let rows = Layout(state)[.registers].rows
        let count = PaneContent(.registers, in: state, width: 24).count
        #expect(state.scroll[Pane.registers.rawValue].top == count - rows)
        let up = after([.key("1")] + down + [.key(.up)]).state
        #expect(up.scroll[Pane.registers.rawValue].top == count - rows - 1)
        let back = after([.key("1")] + down + [.key(.escape)]).state
        #expect(back.scroll[Pane.registers.rawValue] == ScrollPosition())
        #expect(press("1", .up).state.scroll[Pane.registers.rawValue].top == nil)
    }

    @Test("quit asks while a guest is live, and only then")
    func quit() {
        #expect(press("q").effects == [])
        #expect(press("q").state.mode == .quitQuestion)
        #expect(press("q", "y").effects == [.quit])
        #expect(press("q", "n").state.mode == .normal)
        #expect(press(.function(10), .escape).effects == [])
        #expect(after([.session([.end(Story.end(.returned))]), .key("q")]).effects == [.quit])
        let typed = Story.keys(":quit") + [.key(.enter)]
        #expect(after(typed).state.mode == .quitQuestion)
    }

    @Test("a typed line is a command, and goes into the history once")
    func typed() {
        let line = Story.keys(":x/4gx $rsp") + [.key(.enter)]
        let (effects, state) = after(line)
        #expect(effects == [.command("x/4gx $rsp"), .remember("x/4gx $rsp")])
        #expect(state.mode == .normal)
        #expect(state.history == ["x/4gx $rsp"])
        let again = after(line + [.finished(Story.snapshot())] + line).state
        #expect(again.history == ["x/4gx $rsp"])
        let recalled = after(line + [.finished(Story.snapshot()), .key(":"), .key(.up)]).state
        #expect(recalled.mode == .commandLine(recalledLine("x/4gx $rsp", in: recalled.history)))
        #expect(after(Story.keys(":  ") + [.key(.enter)]).effects == [])
    }

    private func recalledLine(_ text: String, in history: [String]) -> CommandInput {
        var line = CommandInput()
        line.recall(-1, in: history)
        return line
    }

    @Test("pasted text is never taken for keys")
    func paste() {
        let (effects, state) = after([.paste("ssc")])
        #expect(effects == [])
        #expect(state.message?.isError == true)
        let line = after([.key(":"), .paste("x/4gx\n$rsp")]).state
        #expect(line.mode == .commandLine(CommandInput("x/4gx $rsp")))
    }

    @Test("a failure is said as one, an answer of one line too, and a longer one has a box")
    func results() {
        func state(_ outcome: Result<CommandAnswer, CommandFailure>) -> UIState {
            after([.session([.result(.init(command: "x", outcome: outcome))])]).state
        }
        let failure = state(.failure(CommandFailure("no such symbol")))
        #expect(failure.message == .init(text: "no such symbol", isError: true))
        #expect(state(.success(.done)).message == nil)
        #expect(state(.success(.text(["$1 = 5"]))).message == .init(text: "$1 = 5", isError: false))
        #expect(state(.success(.text(["a", "b"]))).answer?.lines == ["a", "b"])
    }

    @Test("a key dismisses an answer and does what it does; Esc and q only dismiss it")
    func answer() {
        let result = CommandResult(command: "x", outcome: .success(.text(["a", "b"])))
        let shown: [UIEvent] = [.session([.result(result)])]
        for key: Key in [.escape, .enter, "q"] {
            let (effects, state) = after(shown + [.key(key)])
            #expect(effects == [])
            #expect(state.answer == nil)
            #expect(state.mode == .normal)
        }
        #expect(after(shown + [.key("s")]).effects == [.command("stepi")])
        #expect(after(shown + [.key(.down)]).state.answer != nil)
    }

    @Test("a relaunch begins with an empty log and console")
    func relaunch() {
        let (_, state) = after([.session([.launch(Story.launch())])])
        #expect(state.log.entries.isEmpty)
        #expect(state.console.lines.isEmpty)
        #expect(state.stop == nil)
    }

    @Test("registers are compared with the stop before, whatever commands come in between")
    func changes() {
        func marks(_ state: UIState) -> [String] {
            render(state, state.size).text.split(separator: "\n")
                .filter { $0.hasPrefix("*") }.map { String($0.prefix(7).dropFirst()).trimmed }
        }
        var state = Story.told()
        #expect(marks(state) == ["rax", "rip", "rflags"])
        let same = Story.snapshot(rip: 0x10000d, rax: 0xa, rflags: 0x246)
        _ = update(&state, .finished(same))
        #expect(marks(state) == ["rax", "rip", "rflags"])
        _ = update(&state, .session([.stop(Story.stop(.step, rip: 0x100010))]))
        _ = update(&state, .finished(Story.snapshot(rip: 0x100010, rax: 0xa, rflags: 0x246)))
        #expect(marks(state) == ["rip"])
        _ = update(&state, .finished(Story.hidden))
        #expect(marks(state) == [])
    }
}

extension String {
    fileprivate var trimmed: String { String(prefix { $0 != " " }) }
}
