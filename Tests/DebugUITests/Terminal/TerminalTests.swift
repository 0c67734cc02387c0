import Testing

@testable import DebugUI
@testable import VCPUControl

/// A terminal that types what it is told, and keeps what it is shown.
private final class ScriptedTerminal: Terminal {
    var size: Size
    var inputs: [TerminalInput]
    /// The screen as the differences made it.
    private(set) var screen: Frame
    private(set) var suspensions = 0
    private var isRead = false

    init(_ inputs: [TerminalInput], size: Size = Size(columns: 80, rows: 24)) {
        (self.inputs, self.size, screen) = (inputs, size, Frame(size))
    }

    func draw(_ diff: FrameDiff) {
        if screen.size != size { screen = Frame(size) }
        for run in diff.runs {
            let area = Rect(row: run.start.row, column: run.start.column, rows: 1, columns: 999)
            screen.draw(run.text, run.style, in: area)
        }
    }

    func nextInput(or descriptor: Int32, within milliseconds: Int32?) -> TerminalInput? {
        guard inputs.isEmpty else { return inputs.removeFirst() }
        // Once there is nothing, so that the last state is shown; then the terminal is gone.
        defer { isRead = true }
        return isRead ? .hangup : nil
    }

    func clear() { screen = Frame(size) }
    func suspend() { suspensions += 1 }
}

@Suite("The terminal's loop", .timeLimit(.minutes(1)))
struct TerminalTests {
    private func run(
        _ inputs: [TerminalInput],
        _ session: @escaping @Sendable () throws -> FakeSession = { .init() }
    ) throws -> (terminal: ScriptedTerminal, state: UIState, last: [SessionEvent]) {
        let engine = try SessionThread()
        try engine.start(session)
        let terminal = ScriptedTerminal(inputs)
        var loop = TerminalLoop(terminal, engine, Story.state(80, 24))
        loop.run()
        return (terminal, loop.state, engine.close())
    }

    private func keys(_ keys: Key...) -> [TerminalInput] { keys.map { .key($0) } }

    @Test("keys typed ahead of a command's end are all taken")
    func typeAhead() throws {
        let result = try run(keys("s", "s", "s", "n", "b"))
        #expect(result.state.stop?.rip == .known(.init(0x10000b), from: .direct))
        #expect(result.state.snapshot?.code.value?[4].hasBreakpoint == true)
        #expect(result.terminal.screen.text == render(result.state, result.terminal.size).text)
    }

    @Test("Ctrl-C stops a guest that runs for ever")
    func interrupt() throws {
        let result = try run(keys("c", .control("c"), "c") + [.interrupt])
        #expect(result.state.stop?.reason == .interrupted || result.state.isRunning)
        #expect(!result.state.log.entries.isEmpty)
    }

    @Test("what a pane asks for is on the screen before the next key is awaited")
    func look() throws {
        let result = try run(keys("6", "z", "s", .down))
        let request = try #require(result.state.request.memory)
        #expect(result.state.snapshot?.request.memory == request)
        #expect(result.state.snapshot?.memory?.rows.count == request.rows)
        #expect(result.state.stop?.rip == .known(.init(0x100001), from: .direct))
        let there = try run(keys("6", "a", "0", "x", "7", .enter))
        #expect(there.state.memory.expression == "0x7")
        #expect(there.state.snapshot?.memory?.target == .success(.init(7)))
        #expect(try run(keys("2", "a", "?", .enter)).state.message?.isError == true)
    }

    @Test("quitting ends the session, even while the guest runs")
    func quit() throws {
        let result = try run(keys("c", "q", "y", "s"))
        #expect(result.terminal.inputs == keys("s"))
        #expect(result.last.last == .end(Story.end(.quit)))
    }

    @Test("a new size and a damaged screen are painted whole")
    func repaint() throws {
        let result = try run([.damaged, .suspend, .resized])
        #expect(result.terminal.suspensions == 1)
        #expect(result.terminal.screen.text == render(result.state, result.terminal.size).text)
    }

    @Test("a session that cannot be made is an error before the screen begins")
    func failure() throws {
        struct NoGuest: Error {}
        let engine = try SessionThread()
        #expect(throws: NoGuest.self) {
            try engine.start { () throws -> FakeSession in throw NoGuest() }
        }
    }

    @Test("without a terminal there is a reason instead of a screen")
    func reasons() {
        let errors: [TerminalError] = [
            .noTerminal, .unknown(term: ""), .unknown(term: "nosuch"), .incapable(term: "dumb"),
            .notOpened, .noDescriptor(errno: 24), .noThread(errno: 11),
        ]
        for error in errors { #expect(error.description.hasPrefix("cannot use the screen: ")) }
        #expect(errors[3].description.contains("[TERM=dumb]"))
    }

    @Test("every key that a terminal sends is one or nothing")
    func typed() {
        #expect(Key(typed: 3) == .control("c"))
        #expect(Key(typed: 26) == .control("z"))
        #expect(Key(typed: 12) == .control("l"))
        #expect(
            [9, 10, 13, 27, 8, 127].map { Key(typed: $0) }
                == [.tab, .enter, .enter, .escape, .backspace, .backspace])
        #expect(Key(typed: 0x73) == "s")
        #expect(Key(typed: 0xe9) == "é")
        for value in [0, 28, 31, 0xd800, 0x11_0000, UInt32.max] {
            #expect(Key(typed: value) == nil)
        }
    }

    @Test("padding marks of terminfo are never written")
    func padding() {
        #expect(
            Capability.withoutPadding(Array("\u{1b}[m$<2>x$<5*/>".utf8))
                == Array("\u{1b}[mx".utf8))
        #expect(Capability.withoutPadding(Array("a$<".utf8)) == Array("a$<".utf8))
    }
}
