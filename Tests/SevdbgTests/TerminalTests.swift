import Foundation
import Testing

/// The terminal interface on a real pty: keys in, screen out.
///
/// The screens are in `Screens/`; SEVDBG_UPDATE_SCREENS=1 writes them anew.
@Suite("The terminal", .enabled(if: GuestCorpus.tool("tmux") != nil, "needs tmux"), .serialized)
struct TerminalTests {
    static let sizes = [(columns: 80, rows: 24), (columns: 120, rows: 40)]

    @Test("hello: to its VMGEXIT, to its end, and out", arguments: sizes)
    func hello(columns: Int, rows: Int) throws {
        let terminal = try Tmux(["launch", "hello"], columns: columns, rows: rows)
        defer { terminal.close() }
        try terminal.wait(for: "at entry")
        try terminal.press("g")
        try terminal.wait(for: "stopped: vmgexit")
        try Self.compare(try terminal.screen(), "vmgexit-\(columns)x\(rows)")
        try terminal.press("c")
        try terminal.wait(for: "ended: returned")
        try Self.compare(try terminal.screen(), "returned-\(columns)x\(rows)")
        try terminal.press("q")
        try terminal.wait(for: "left with 0")
        #expect(try !terminal.screen().contains("VMGEXITs"))
    }

    @Test("m relaunches under the next setup; q asks while the guest is live")
    func setup() throws {
        let terminal = try Tmux(["launch", "hello"], columns: 80, rows: 24)
        defer { terminal.close() }
        try terminal.wait(for: "trampoline v2")
        try terminal.press("m")
        try terminal.wait(for: "host v2")
        try terminal.press("m")
        try terminal.wait(for: "pool v2")
        try terminal.press("q")
        try terminal.press("n")
        try terminal.press("s")
        try terminal.wait(for: "1 insns")
        try terminal.press("q")
        try terminal.press("y")
        try terminal.wait(for: "left with 0")
    }

    @Test("Ctrl-C stops a running guest and never quits")
    func interrupt() throws {
        let terminal = try Tmux(["launch", "spin"], columns: 80, rows: 24)
        defer { terminal.close() }
        try terminal.wait(for: "at entry")
        try terminal.press("c")
        try terminal.wait(for: "running")
        try terminal.press("C-c")
        try terminal.wait(for: "stopped: interrupted")
    }

    static func compare(_ screen: String, _ name: String) throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Screens/\(name).txt")
        if ProcessInfo.processInfo.environment["SEVDBG_UPDATE_SCREENS"] == "1" {
            try screen.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(try screen == String(contentsOf: file, encoding: .utf8), "\(name)")
    }
}

/// A terminal of its own, with the program in it.
struct Tmux {
    private let socket = "sevdbg-\(UUID())"
    /// Where the program keeps what outlives it.
    let state: URL
    /// In the foreground: a server that leaves its parent would keep Foundation waiting.
    private let server: Process

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Starts the program; the shell around it says with what status it left.
    ///
    /// `state` is a directory of its own unless another terminal's is given.
    init(_ arguments: [String], columns: Int, rows: Int, state: URL? = nil) throws {
        self.state =
            state ?? FileManager.default.temporaryDirectory.appending(path: "sevdbg-\(UUID())")
        server = try Self.start(["-f", "/dev/null", "-L", socket, "-D"], FileHandle.nullDevice)
        let program = Bundle.main.bundleURL.appending(path: "sevdbg").path()
        let command = ([program] + arguments).map { "'\($0)'" }.joined(separator: " ")
        let folders = "XDG_CONFIG_HOME=/nonexistent XDG_STATE_HOME='\(self.state.path())'"
        let environment = "LC_ALL=C.UTF-8 TERM=screen \(folders)"
        let shell = "\(environment) \(command); echo left with $?; exec cat"
        let session = [
            "new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", "sh", "-c", shell,
        ]
        do {
            try Self.wait("no answer from tmux") { try run(session) }
        } catch {
            close()
            throw error
        }
    }

    func press(_ key: String) throws {
        guard try run(["send-keys", key]) else { throw Failure(description: "cannot press \(key)") }
    }

    func type(_ text: String) throws {
        guard try run(["send-keys", "-l", text]) else {
            throw Failure(description: "cannot type \(text)")
        }
    }

    func screen() throws -> String {
        let output = Pipe()
        let client = try Self.start(["-L", socket, "-N", "capture-pane", "-p"], output)
        let text = output.fileHandleForReading.readDataToEndOfFile()
        client.waitUntilExit()
        return String(decoding: text, as: UTF8.self)
    }

    /// Waits until the screen shows a text.
    func wait(for text: String) throws {
        try Self.wait("no \(text.debugDescription) on the screen") {
            try screen().contains(text)
        }
    }

    /// Waits until the screen is as it should be.
    func wait(until condition: (String) -> Bool) throws {
        try Self.wait("not the screen that was waited for") { condition(try screen()) }
    }

    /// Ends the server, and with its terminals all that runs in them.
    ///
    /// It has the test thread's signal mask, so that nothing gentler reaches it.
    func close() {
        kill(server.processIdentifier, SIGKILL)
        server.waitUntilExit()
        try? FileManager.default.removeItem(at: state)
    }

    private static func wait(_ failure: String, until condition: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(20)
        while try !condition() {
            guard ContinuousClock.now < end else { throw Failure(description: failure) }
        }
    }

    private func run(_ arguments: [String]) throws -> Bool {
        let client = try Self.start(["-L", socket, "-N"] + arguments, FileHandle.nullDevice)
        client.waitUntilExit()
        return client.terminationStatus == 0
    }

    private static func start(_ arguments: [String], _ output: Any) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["tmux"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }
}
