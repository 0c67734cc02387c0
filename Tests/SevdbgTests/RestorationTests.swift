internal import CPseudoTerminal
import Foundation
import Testing

/// The terminal is as before, whatever ends the program, and whatever terminal it is.
@Suite("The terminal's restoration")
struct RestorationTests {
    static let fatal = [
        SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGUSR1,
        SIGPIPE, SIGSYS,
    ]

    private func launch(
        _ guest: String = "hello", _ environment: [String: String] = [:]
    ) throws -> PseudoTerminal {
        let terminal = try PseudoTerminal(
            ["launch", guest, "--mouse"], environment: environment)
        try terminal.wait(for: "at entry")
        return terminal
    }

    @Test("a fatal signal ends the program as itself, and the screen", arguments: fatal)
    func signals(signal: Int32) throws {
        let terminal = try launch()
        kill(terminal.process, signal)
        #expect(try terminal.end() == .signal(signal))
        #expect(terminal.remains.isEmpty)
    }

    @Test("so does a fault of the thread that runs the guest", arguments: [SIGSEGV, SIGILL])
    func threads(signal: Int32) throws {
        let terminal = try launch("spin")
        try terminal.type("c")
        try terminal.wait(for: "running")
        let threads = try FileManager.default
            .contentsOfDirectory(atPath: "/proc/\(terminal.process)/task").compactMap(pid_t.init)
        let session = try #require(threads.max())
        #expect(session != terminal.process)
        #expect(cpty_signal_thread(terminal.process, session, signal) == 0)
        #expect(try terminal.end() == .signal(signal))
        #expect(terminal.remains.isEmpty)
    }

    @Test("SIGINT from outside interrupts the guest as the key does")
    func interrupt() throws {
        let terminal = try launch("spin")
        try terminal.type("c")
        try terminal.wait(for: "running")
        kill(terminal.process, SIGINT)
        try terminal.wait(for: "interrupted")
        try terminal.type("qy")
        #expect(try terminal.end() == .exit(0))
    }

    @Test("a terminal that is gone ends the program", arguments: ["hello", "spin"])
    func hangUp(guest: String) throws {
        let terminal = try launch(guest)
        try terminal.type("c")
        try terminal.drain()
        terminal.hangUp()
        #expect(try terminal.end() == .signal(SIGHUP))
    }

    @Test(
        "every size that a window can have is drawn, and the keys stay",
        arguments: [(1, 1), (1, 60), (200, 1), (59, 15), (60, 16), (1000, 500)])
    func sizes(columns: UInt16, rows: UInt16) throws {
        let terminal = try launch()
        terminal.resize(columns: columns, rows: rows)
        try terminal.drain()
        terminal.forget()
        terminal.resize(columns: 80, rows: 24)
        try terminal.wait(for: "at entry")
        try terminal.type("g")
        try terminal.wait(for: "vmgexit")
        try terminal.type("qy")
        #expect(try terminal.end() == .exit(0))
        #expect(terminal.remains.isEmpty)
    }

    @Test("Ctrl-Z gives the terminal to the shell, fg takes it back")
    func suspend() throws {
        let shell = try PseudoTerminal(
            ["--norc", "--noprofile", "-i"], command: "/bin/bash", environment: ["PS1": "$ "])
        try shell.type("'\(PseudoTerminal.program)' launch hello\r")
        try shell.wait(for: "at entry")
        try shell.type("\u{1a}")
        try shell.wait(for: "Stopped")
        #expect(!shell.remains.contains("the other screen"))
        #expect(!shell.remains.contains("no cursor"))
        shell.forget()
        try shell.type("fg\r")
        try shell.wait(for: "at entry")
        try shell.type("qy")
        try shell.drain()
        shell.forget()
        try shell.type("echo $?, $((40 + 2))\r")
        try shell.wait(for: "0, 42")
    }

    @Test("a paste is text, however long, whatever it holds, whether or not it ends")
    func paste() throws {
        let terminal = try launch()
        let refusal = "not taken for keys"
        try terminal.type("\u{1b}[200~qy\u{1b}[Aqy\u{1b}qy\r\u{3}:\u{1b}[201~")
        try terminal.wait(for: refusal)
        try terminal.type("s")
        try terminal.wait(for: "stopped: step")
        terminal.forget()
        try terminal.type("\u{1b}[200~")
        for _ in 0..<50 { try terminal.type(String(repeating: "qy\r", count: 300)) }
        try terminal.type("\u{1b}[201~")
        try terminal.wait(for: refusal)
        try terminal.type("s\u{1b}[200~qy")
        try terminal.drain()
        terminal.forget()
        try terminal.wait(for: refusal)
        try terminal.type("qy")
        #expect(try terminal.end() == .exit(0))
    }

    @Test("what the terminal has decides on colours; all of them run and are left clean")
    func terminals() throws {
        let counts = [
            "vt100": 0, "vt220": 0, "linux": 8, "screen": 8, "xterm": 8, "xterm-16color": 16,
            "xterm-256color": 256, "screen-256color": 256, "tmux-256color": 256,
        ]
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) where Self.isDescribed(name) {
            let terminal = try launch("hello", ["TERM": name])
            try terminal.type("g")
            try terminal.wait(for: "IOIO")
            try terminal.type("q")
            try terminal.drain()
            try terminal.type("y")
            #expect(try terminal.end() == .exit(0), "\(name)")
            #expect(terminal.remains.isEmpty, "\(name)")
            #expect(terminal.contains("\u{1b}[38;5;") == (count == 256), "\(name)")
            let hasBasic = (31...36).contains { terminal.contains("\u{1b}[\($0)m") }
            #expect(hasBasic == (8...16).contains(count), "\(name)")
        }
    }

    private static func isDescribed(_ name: String) -> Bool {
        let first = name.prefix(1)
        return ["/usr/share/terminfo", "/lib/terminfo", "/etc/terminfo"].contains {
            FileManager.default.fileExists(atPath: "\($0)/\(first)/\(name)")
        }
    }

    @Test(
        "NO_COLOR, --color never and the theme mono leave the attributes",
        arguments: [
            (["--color", "never"], [:]), ([], ["NO_COLOR": "1"]), (["--theme", "mono"], [:]),
        ])
    func noColor(arguments: [String], environment: [String: String]) throws {
        let terminal = try PseudoTerminal(
            ["launch", "hello"] + arguments, environment: environment)
        try terminal.wait(for: "at entry")
        try terminal.type("g")
        try terminal.wait(for: "IOIO")
        #expect(!terminal.contains("\u{1b}[38;5;"))
        #expect(terminal.contains("\u{1b}[7m") || terminal.contains("\u{1b}[0;7m"))
    }

    @Test(
        "without a terminal that can be used, the guest runs in batch", arguments: ["dumb", "no"])
    func unusable(name: String) throws {
        let terminal = try PseudoTerminal(["launch", "hello"], environment: ["TERM": name])
        #expect(try terminal.end() == .exit(0))
        #expect(terminal.contains("cannot use the screen"))
        #expect(terminal.contains("[guest returned"))
        #expect(name != "dumb" || !terminal.contains("\u{1b}"))
    }
}
