import Foundation
import Testing

/// The screens of the documentation: `make screens` writes them, and README.md's with them.
@Suite(
    "The documentation's screens", .enabled(if: GuestCorpus.tool("tmux") != nil, "needs tmux"),
    .serialized)
struct DocumentedScreensTests {
    struct Screen: Sendable, CustomTestStringConvertible {
        var name: String
        var guest: String
        var rows: Int
        /// The keys, and what the screen shows when all of them have had their effect.
        var keys: [String]
        var awaited: String

        var testDescription: String { name }
    }

    static let all = [
        Screen(
            name: "vmgexit", guest: "hello", rows: 26, keys: ["g"], awaited: "stopped: vmgexit"),
        Screen(
            name: "finding", guest: "bug-cpuid-rcx", rows: 40, keys: ["c"], awaited: "ended:"),
        Screen(name: "help", guest: "hello", rows: 40, keys: ["?"], awaited: "sevdbg help"),
    ]

    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static var isUpdate: Bool {
        ProcessInfo.processInfo.environment["SEVDBG_UPDATE_SCREENS"] == "1"
    }

    @Test("are what the program shows", arguments: all)
    func screens(screen: Screen) throws {
        let terminal = try Tmux(["launch", screen.guest], columns: 120, rows: screen.rows)
        defer { terminal.close() }
        try terminal.wait(for: "at entry")
        for key in screen.keys { try terminal.press(key) }
        try terminal.wait(for: screen.awaited)
        try Self.compare(try terminal.screen(), "docs/screens/\(screen.name).txt")
    }

    @Test("README.md shows the one between its marks")
    func readme() throws {
        let file = Self.root.appending(path: "README.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let block = try #require(
            text.firstMatch(of: #/(?s)<!-- (docs/screens/\w+\.txt) -->\n.*?<!-- end -->/#))
        let screen = try String(
            contentsOf: Self.root.appending(path: String(block.1)), encoding: .utf8)
        let wanted = "<!-- \(block.1) -->\n```\n\(screen)```\n<!-- end -->"
        try Self.compare(text.replacing(block.0, with: wanted), "README.md")
    }

    private static func compare(_ text: String, _ path: String) throws {
        let file = root.appending(path: path)
        if isUpdate { try text.write(to: file, atomically: true, encoding: .utf8) }
        let current = try String(contentsOf: file, encoding: .utf8)
        #expect(text == current, "\(path) is stale: `make screens` writes it anew")
    }
}
