import Testing

@testable import DebugUI
@testable import VCPUControl

@Suite("Keys of the user")
struct KeyMapTests {
    @Test("every key that help shows has its name back")
    func names() {
        let all =
            Action.all.flatMap(\.keys) + [.enter, .backspace, .delete, " ", "é", .function(12)]
        for key in all { #expect(Key(name: key.name) == key) }
        for name in ["", "nosuch", "F0", "F13", "^", "^H", "^1", "ss", "\u{1b}", "\u{202e}"] {
            #expect(name == "^" || Key(name: name) == nil, "\(name.debugDescription)")
        }
    }

    @Test("the actions have no key twice, and the names of no two are alike")
    func standard() {
        #expect(KeyMap().conflict == nil)
        #expect(Set(Action.all.map(\.name)).count == Action.all.count)
    }

    @Test("an action has its user's keys in place of its own, in help and key line too")
    func overrides() {
        var state = Story.told(120, 40)
        state.keyMap = KeyMap(overrides: ["step": [.function(11), "x"], "zoom": []])
        #expect(update(&state, .key("x")) == [.command("stepi")])
        state.isRunning = false
        #expect(update(&state, .key("s")).isEmpty)
        #expect(update(&state, .key("z")).isEmpty && !state.isZoomed)
        #expect(render(state, state.size).text.contains("F11 step"))
        _ = update(&state, .key("?"))
        #expect(render(state, state.size).text.contains("F11 x"))
    }

    @Test("a key of two actions is a conflict, a swap is none")
    func conflicts() {
        let conflict = KeyMap(overrides: ["step": ["n"]]).conflict
        #expect(conflict == .init(key: "n", actions: ["step", "next"]))
        #expect(KeyMap(overrides: ["step": ["n"], "next": ["s"]]).conflict == nil)
    }

    @Test("a click gives a pane the keys, the wheel scrolls without taking them")
    func mouse() {
        var state = Story.told(80, 24)
        let registers = Position(row: 5, column: 3)
        _ = update(&state, .wheel(registers, rows: 3))
        #expect(state.focus == .code)
        #expect(state.scroll[Pane.registers.rawValue].top == 3)
        _ = update(&state, .click(registers))
        #expect(state.focus == .registers)
        _ = update(&state, .click(Position(row: 0, column: 0)))
        #expect(state.focus == .registers)
        _ = update(&state, .key("?"))
        _ = update(&state, .wheel(registers, rows: 3))
        #expect(state.mode != .normal)
        _ = update(&state, .click(registers))
        #expect(state.mode != .normal)
    }
}
