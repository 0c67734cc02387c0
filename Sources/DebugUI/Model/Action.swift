/// Something that a key does: the one table that keys, help and key line are made from.
package struct Action: Sendable {
    package enum Group: String, CaseIterable, Sendable {
        case guest = "Guest"
        case pane = "Pane"
        case screen = "Screen"
    }

    package var name: String
    package var keys: [Key]
    package var group: Group
    /// The word in the key line; `nil` leaves the action out of it.
    package var hint: String?
    package var help: String
    /// What it does in the normal mode.
    package var run: @Sendable (inout UIState) -> [Effect]

    init(
        _ name: String, _ keys: [Key], _ group: Group, _ help: String, hint: String? = nil,
        _ run: @escaping @Sendable (inout UIState) -> [Effect]
    ) {
        (self.name, self.keys, self.group) = (name, keys, group)
        (self.hint, self.help, self.run) = (hint, help, run)
    }

    /// The keys as the help shows them.
    package var keyNames: String { keys.map(\.name).joined(separator: " ") }

    package static let all: [Action] = guest + inPane + panes + screen

    private static let guest: [Action] = [
        Action("step", ["s"], .guest, "one instruction", hint: "step") { $0.execute("stepi") },
        Action("next", ["n"], .guest, "one instruction, over calls", hint: "next") {
            $0.execute("nexti")
        },
        Action("vmgexit", ["g"], .guest, "run to the next VMGEXIT", hint: "vmgexit") {
            $0.execute("vmgexit")
        },
        Action("continue", ["c"], .guest, "run", hint: "cont") { $0.execute("continue") },
        Action("breakpoint", ["b"], .guest, "breakpoint at the code cursor", hint: "break") {
            $0.toggleBreakpoint()
        },
        Action("setup", ["m"], .guest, "next GHCB setup, relaunch", hint: "setup") {
            $0.switchSetup()
        },
        Action("commandLine", [":"], .guest, "command line", hint: "cmd") {
            $0.enter(.commandLine(CommandInput()))
        },
        Action("quit", ["q", .function(10)], .guest, "quit", hint: "quit") { $0.askToQuit() },
        Action("compare", ["d"], .guest, "compare with another GHCB setup", hint: "diff") {
            $0.execute("compare")
        },
        Action("nextVCPU", ["v"], .guest, "next vCPU", hint: "vcpu") { $0.selectVCPU(1) },
        Action("previousVCPU", ["V"], .guest, "previous vCPU") { $0.selectVCPU(-1) },
        Action("interrupt", [.control("c")], .guest, "interrupt the running guest") {
            $0.interrupt()
        },
    ]

    private static let inPane: [Action] = [
        Action("current", [.escape], .pane, "filter off; back to RIP, last exit") {
            $0.dismiss()
        },
        Action("open", [.enter], .pane, "open the line: finding, exit, vCPU") { $0.open() },
        Action("goTo", ["o"], .pane, "from finding to exit, exit to code") { $0.goTo() },
        Action("address", ["a"], .pane, "memory (or code) at an address", hint: "addr") {
            $0.askForAddress()
        },
        Action("search", ["/"], .pane, "search this pane", hint: "find") {
            $0.enter(.prompt(Prompt(.search)))
        },
        Action("nextHit", ["."], .pane, "next place that was searched") { $0.find(1) },
        Action("previousHit", [","], .pane, "previous place") { $0.find(-1) },
        Action("filter", ["\\"], .pane, "filter this pane", hint: "filter") {
            $0.askForFilter()
        },
    ]

    private static let panes: [Action] =
        Pane.allCases.map { pane in
            let key = Key.character(Unicode.Scalar(UInt8(ascii: "0") + UInt8(pane.number)))
            return Action(pane.title, [key], .screen, "pane: \(pane.title)") { $0.focus(on: pane) }
        }

    private static let screen: [Action] = [
        Action("nextPane", [.tab], .screen, "next pane", hint: "pane") {
            $0.focus(on: $0.focus.advanced(by: 1))
        },
        Action("previousPane", [.backTab], .screen, "previous pane") {
            $0.focus(on: $0.focus.advanced(by: -1))
        },
        Action("zoom", ["z"], .screen, "this pane alone, and back", hint: "zoom") {
            $0.toggleZoom()
        },
        Action("up", [.up, "k"], .screen, "up one line") { $0.move(.rows(-1)) },
        Action("down", [.down, "j"], .screen, "down one line") { $0.move(.rows(1)) },
        Action("left", [.left, "h"], .screen, "scroll left") { $0.move(.columns(-8)) },
        Action("right", [.right, "l"], .screen, "scroll right") { $0.move(.columns(8)) },
        Action("pageUp", [.pageUp], .screen, "up one page") { $0.move(.pages(-1)) },
        Action("pageDown", [.pageDown], .screen, "down one page") { $0.move(.pages(1)) },
        Action("first", [.home], .screen, "first line") { $0.move(.start) },
        Action("last", [.end], .screen, "last line") { $0.move(.end) },
        Action("redraw", [.control("l")], .screen, "redraw the screen") { _ in [.redraw] },
        Action("suspend", [.control("z")], .screen, "suspend sevdbg") { _ in [.suspend] },
        Action("help", ["?", .function(1)], .screen, "this help", hint: "help") {
            $0.enter(.help(top: 0))
        },
    ]
}
