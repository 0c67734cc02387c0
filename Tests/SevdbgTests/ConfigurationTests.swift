import Foundation
import Testing

@testable import DebugUI
@testable import sevdbg

@Suite("The configuration")
struct ConfigurationTests {
    private func problems(_ text: String) -> [String] {
        Configuration(text).problems.map { "\($0.place): \($0.reason)" }
    }

    @Test("every setting is taken")
    func settings() {
        let configuration = Configuration(
            """
            theme = "light"
            color = "never"
            ascii = true
            mouse = true
            [layout]
            focus = "ghcb"
            zoom = true
            [keys]
            step = "F11"
            next = ["s", "^N"]
            """)
        #expect(configuration.problems.isEmpty)
        #expect(configuration.theme == .light)
        #expect(configuration.color == .never)
        #expect(configuration.ascii == true && configuration.mouse == true)
        #expect(configuration.focus == .ghcb && configuration.zoom == true)
        #expect(configuration.keyMap[.function(11)]?.name == "step")
        #expect(configuration.keyMap["s"]?.name == "next")
        #expect(configuration.keyMap[.control("n")]?.name == "next")
        #expect(configuration.keyMap["n"] == nil)
    }

    @Test("what is wrong is named with its place, and the rest counts")
    func mistakes() {
        let text = """
            theme = "pink"
            colour = "never"
            ascii = 1
            mouse = true
            broken = = 3
            [layout]
              focus = "kitchen"
            size = 3
            [keys]
            jump = "x"
            zoom = "F13"
            quit = []
            redraw = "^C"
            up = [1]
            step = "g"
            help = "F9"
            """
        let configuration = Configuration(text)
        #expect(configuration.mouse == true)
        #expect(configuration.keyMap[.function(9)]?.name == "help")
        #expect(configuration.keyMap["s"]?.name == "step")
        #expect(configuration.keyMap["z"]?.name == "zoom")
        let expected = [
            ("1:1", "theme has to be \"default\", \"light\" or \"mono\""),
            ("2:1", "there is no setting colour"), ("3:1", "ascii has to be true or false"),
            ("5:", "could not determine value type"), ("7:3", "layout.focus has to be"),
            ("8:1", "no setting layout.size"),
            ("10:1", "there is no action jump"), ("11:1", "\"F13\" is no key"),
            ("12:1", "quit needs a key"), ("13:1", "^C always interrupts"),
            ("14:1", "keys.up has to be a key or a list"),
            ("15:1", "g is a key of vmgexit already"),
        ]
        let problems = problems(text)
        #expect(problems.count == expected.count, "\(problems)")
        for (problem, (place, reason)) in zip(problems, expected) {
            #expect(problem.hasPrefix(place) && problem.contains(reason), "\(problem)")
        }
    }

    @Test("lines may end as other systems end them")
    func lineEnds() {
        #expect(problems("ascii = true\r\ncolour = 1\r\n").first?.hasPrefix("2:1: ") == true)
    }

    @Test("a key that two lines bind is a mistake of the later one")
    func twice() {
        let text = "[keys]\nstep = \"F9\"\nnext = \"F9\"\n"
        #expect(problems(text) == ["3:1: F9 is a key of step already; give that another one"])
        #expect(Configuration(text).keyMap[.function(9)]?.name == "step")
        #expect(problems("keys = { step = \"n\" }").first?.hasPrefix("1:1: n is a key") == true)
        #expect(problems("keys.step = \"n\"").first?.hasPrefix("1:1: n is a key") == true)
        #expect(problems("keys = 3") == ["1:1: keys has to be a table"])
    }

    @Test("hostile files are mistakes, not crashes")
    func hostile() {
        let bytes = String(decoding: (0...255).map { UInt8($0) }, as: UTF8.self)
        for text in [
            bytes, String(repeating: "[", count: 10_000), "a = \"\u{0}\"",
            String(repeating: "= 1\n", count: 1000), "theme = \"\u{1b}[2J\"", "[[[", "  [ \u{1b}]",
            "[#]", "[=", "[[\t,", "\u{a0}[é]",
        ] {
            #expect(!Configuration(text).problems.isEmpty)
        }
        #expect(Configuration("").problems.isEmpty)
        #expect(Configuration("# nothing\n").problems.isEmpty)
    }

    @Test("the file is the user's own, and never one of the current directory")
    func path() {
        func path(_ environment: [String: String]) -> String? {
            ConfigurationFile(named: nil, environment: environment)?.path
        }
        #expect(path(["XDG_CONFIG_HOME": "/c", "HOME": "/h"]) == "/c/sevdbg/config.toml")
        #expect(path(["HOME": "/h"]) == "/h/.config/sevdbg/config.toml")
        #expect(path(["XDG_CONFIG_HOME": "c", "HOME": "/h"]) == "/h/.config/sevdbg/config.toml")
        #expect(path(["XDG_CONFIG_HOME": "", "HOME": "."]) == nil)
        #expect(path([:]) == nil)
        let named = ConfigurationFile(named: "my.toml", environment: [:])
        #expect(named?.path == "my.toml" && named?.isNamed == true)
    }

    @Test("the example of docs/configuration.md is right, and has everything")
    func example() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../docs/configuration.md").standardized
        let document = try String(contentsOf: file, encoding: .utf8)
        let parts = document.components(separatedBy: "```")
        let example = try #require(parts.first { $0.hasPrefix("toml\n") }).dropFirst(4)
        let configuration = Configuration(String(example))
        #expect(configuration.problems.isEmpty, "\(configuration.problems)")
        for action in Action.all {
            #expect(example.contains("\n\(action.name) = "), "\(action.name)")
            let keys = configuration.keyMap[named: action.name]?.keys
            #expect(keys == action.keys, "\(action.name): the example has the keys as they are")
        }
        for theme in Theme.allCases { #expect(document.contains("`\(theme.rawValue)`")) }
        for setting in Configuration.settings {
            let name = setting.name.split(separator: ".").last ?? ""
            #expect(example.contains("\n\(name) = "), "\(setting.name)")
        }
    }

    @Test("a bad file is told on stderr and on the screen, and the program starts")
    func program() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "sevdbg-\(UUID()).toml")
        try Data("ascii = true\ntheme = \"\u{9b}31337mx\"\n[keys]\nstep = \"F9\"\n".utf8).write(
            to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let terminal = try PseudoTerminal(["launch", "hello", "--config", file.path()])
        try terminal.wait(for: "at entry")
        #expect(terminal.contains("\(file.path()):2:1: theme has to be"))
        try terminal.wait(for: "error: \(file.path().prefix(20))")
        try terminal.type("\u{1b}[20~")
        try terminal.wait(for: "stopped: step")
        try terminal.type("qy")
        #expect(try terminal.end() == .exit(0))
        let none = try PseudoTerminal(["launch", "hello", "--config", file.path(), "--nx"])
        try none.wait(for: "at entry")
        try none.type("s")
        try none.wait(for: "stopped: step")
        #expect(!none.contains("theme has to be"))
    }
}
