import Foundation
import Testing

/// The command line, setups and a running guest on a real pty.
@Suite(
    "Commands on the terminal", .enabled(if: GuestCorpus.tool("tmux") != nil, "needs tmux"),
    .serialized)
struct CommandLineTerminalTests {
    private func open(
        _ guest: String..., columns: Int = 80, rows: Int = 24, state: URL? = nil
    ) throws -> Tmux {
        let terminal = try Tmux(
            ["launch"] + guest, columns: columns, rows: rows, state: state)
        try terminal.wait(for: "at entry")
        return terminal
    }

    @Test("lines are completed, and come back with Up and Ctrl-R in the next run")
    func history() throws {
        let first = try open("hello")
        defer { first.close() }
        try first.type(":br")
        try first.press("Tab")
        try first.type("put_")
        try first.press("Tab")
        try first.wait(for: ":break put_line")
        try first.press("Enter")
        try first.wait(for: "Breakpoint 1 at")
        try first.type(":info setup")
        try first.press("Enter")
        try first.wait(for: "Esc closes")
        try first.press("Escape")
        try first.wait(until: { !$0.contains("Esc closes") })
        try first.type("qy")
        try first.wait(for: "left with 0")
        let second = try open("hello", state: first.state)
        defer { second.close() }
        try second.press(":")
        try second.press("Up")
        try second.wait(for: ":info setup")
        try second.press("C-u")
        try second.press("C-r")
        try second.type("put")
        try second.wait(for: "(search `put') break put_line")
        try second.press("Enter")
        try second.wait(for: "Breakpoint 1 at")
    }

    @Test("Tab shows the words; a faulty line comes back with Up, below what was wrong")
    func menu() throws {
        let terminal = try open("hello")
        defer { terminal.close() }
        try terminal.type(":vg mmio")
        try terminal.press("Tab")
        try terminal.wait(for: "MMIO_WRITE")
        try terminal.type("X")
        try terminal.press("Enter")
        try terminal.wait(for: "names no VMGEXIT")
        try terminal.press(":")
        try terminal.press("Up")
        try terminal.wait(for: ":vg MMIO_X")
        #expect(try terminal.screen().contains("names no VMGEXIT"))
    }

    @Test("m says what it did, and d shows two setups", arguments: TerminalTests.sizes)
    func setups(columns: Int, rows: Int) throws {
        let terminal = try open("hello", "--break", "guest_code", columns: columns, rows: rows)
        defer { terminal.close() }
        try terminal.press("m")
        try terminal.wait(for: "relaunched under host; 1 breakpoint kept; was trampoline")
        try terminal.press("m")
        try terminal.wait(for: "relaunched under pool; 1 breakpoint kept; was host")
        try terminal.press("d")
        try terminal.wait(for: "pool | trampoline")
        try TerminalTests.compare(try terminal.screen(), "compare-\(columns)x\(rows)")
        try terminal.press("Escape")
        try terminal.wait(for: "at entry")
        try terminal.press("c")
        try terminal.wait(for: "stopped: breakpoint")
    }

    @Test("a running guest is live, and stops at Ctrl-C", arguments: TerminalTests.sizes)
    func live(columns: Int, rows: Int) throws {
        let terminal = try open(
            "spin", "--args", "1000000000000", columns: columns, rows: rows)
        defer { terminal.close() }
        try terminal.press("c")
        try terminal.wait(for: "/s  ")
        let before = try terminal.screen()
        try terminal.wait(until: { $0 != before && $0.contains("^C interrupts") })
        try terminal.press("C-c")
        try terminal.wait(for: "stopped: interrupted")
        try terminal.type(":stepi 100000000000")
        try terminal.press("Enter")
        try terminal.wait(for: "░")
        try terminal.press("C-c")
        try terminal.wait(for: "stopped: interrupted")
    }

    @Test("compare of a guest that never ends is stopped by Ctrl-C, and the guest stays")
    func interruptedComparison() throws {
        let terminal = try open("spin", "--args", "1000000000000")
        defer { terminal.close() }
        try terminal.type(":compare pool host")
        try terminal.press("Enter")
        try terminal.wait(for: "comparing")
        try terminal.press("C-c")
        try terminal.wait(for: "the comparison was interrupted")
        try terminal.press("s")
        try terminal.wait(for: "1 insns")
    }
}
