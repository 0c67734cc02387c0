import ArgumentParser
import Foundation
import Testing

@testable import VCPUControl
@testable import sevdbg

/// The guests that reproduce upstream bugs, as users run them.
@Suite("sevdbg launch bug-…")
struct BugLaunchTests {
    private static func findings(_ output: String) -> [String] {
        output.split(separator: "\n").map(String.init).filter { line in
            ["error ", "warning ", "note "].contains { line.hasPrefix($0) }
        }
    }

    /// What docs/bugs.md says that sevdbg says: the last column by the first.
    private static func documented() throws -> [String: String] {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/bugs.md"), encoding: .utf8)
        let rows = text.matches(of: /(?m)^\| `(bug-[a-z0-9-]+)` \|.*\| `([^`]*)` \|$/)
        let pairs = rows.map { (String($0.output.1), String($0.output.2)) }
        return Dictionary(pairs, uniquingKeysWith: { $0 + " and " + $1 })
    }

    @Test(
        "one finding, which docs/bugs.md quotes, and status 3",
        arguments: BuiltInGuest.bugs.map(\.name))
    func finding(name: String) throws {
        let run = try ProgramRun(["launch", name, "--batch", "--lint"])
        #expect(run.status == 3)
        #expect(run.errors.isEmpty)
        let rule = try #require(BuiltInGuest[name]?.rule)
        let found = Self.findings(run.output)
        try #require(found.count == 1, "\(found)")
        #expect(found[0].hasPrefix("error \(rule.id) at "))
        #expect(try Self.documented()[name] == found[0])
    }

    @Test("docs/bugs.md has every bug guest and no other")
    func documentation() throws {
        #expect(try Set(Self.documented().keys) == Set(BuiltInGuest.bugs.map(\.name)))
    }

    @Test("`sevdbg guests` lists the bugs behind the others, under a heading")
    func list() throws {
        let lines = try ProgramRun(["guests"]).output
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let gap = try #require(lines.firstIndex(of: ""))
        func names(_ lines: some Sequence<String>) -> [String] {
            lines.compactMap { $0.split(separator: " ").first.map(String.init) }
        }
        #expect(names(lines[..<gap]) == BuiltInGuest.all.map(\.name))
        #expect(lines[gap + 1].hasPrefix("Upstream bugs"))
        #expect(names(lines[(gap + 2)...]) == BuiltInGuest.bugs.map(\.name))
    }

    @Test("a guest's defaults hold where the user says nothing; an option wins over each")
    func defaults() throws {
        func options(_ arguments: String...) throws -> LaunchOptions {
            let command = try LaunchCommand.parse(arguments)
            return command.options(for: try GuestImage.load(arguments[0]))
        }
        #expect(try options("hello") == LaunchOptions())
        let defaults = try options("bug-first-entry")
        #expect(defaults.vcpus == 2 && defaults.arguments == [.vcpuNumber])
        #expect(try options("bug-unaligned-features").memory == 32 << 20)
        let chosen = try options(
            "bug-first-entry", "--vcpus", "3", "--ghcb", "pool", "--memory", "8M", "--args", "7",
            "--ghcb-version", "1")
        #expect(
            chosen
                == LaunchOptions(
                    setup: .pool, ghcbVersion: 1, vcpus: 3, memory: 8 << 20, arguments: [.value(7)])
        )
        #expect(
            try ProgramRun(["launch", "bug-first-entry", "--vcpus", "1", "--batch", "--lint"])
                .status == 0)
    }

    @Test("--help tells the defaults of options that a guest may have its own for")
    func help() throws {
        let words = try ProgramRun(["launch", "--help"]).output
            .split { $0.isWhitespace }.joined(separator: " ")
        for text in [
            "gets its GHCB. (default: trampoline)", "number of vCPUs. (default: 1)",
            "(default: 16M)",
        ] {
            #expect(words.contains(text), "\(text)")
        }
    }

    @Test("what cannot show its bug says why: status 64", arguments: ["pool", "host"])
    func bound(setup: String) throws {
        let run = try ProgramRun(["launch", "bug-no-wrmsr", "--ghcb", setup, "--batch"])
        #expect(run.status == 64)
        #expect(run.errors.contains("give --ghcb trampoline"))
        let small = try ProgramRun(["launch", "bug-unaligned-kill", "--memory", "16M", "--batch"])
        #expect(small.status == 64)
        #expect(small.errors.contains("give --memory 17M or more"))
    }

    @Test("the launch names the fault of the hypervisor, and no other launch names one")
    func fault() throws {
        let text = "under a hypervisor that does not clear SW_EXITINFO1"
        #expect(
            try ProgramRun(["launch", "bug-exitinfo1-kept", "--batch"]).output.contains(text))
        #expect(try !ProgramRun(["launch", "hello", "--batch"]).output.contains("under a"))
        let json = try ProgramRun(["launch", "bug-second-ghcb", "--json"]).output
        #expect(json.contains(#""hypervisorFault":"goes on with the first GHCB of a vCPU""#))
    }
}
