import Foundation
import Testing

@Suite("sevdbg decode, the program")
struct DecodeProgramTests {
    /// `sevdbg decode` with these words, and a file with these bytes.
    private func decode(_ words: String..., file bytes: Data) throws -> ProgramRun {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try bytes.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try ProgramRun(["decode"] + words + [file.path])
    }

    @Test("a page has 4096 bytes: shorter, longer and endless files are status 66")
    func pages() throws {
        #expect(try decode("ghcb", file: Data(count: 4096)).status == 0)
        let others = [(0, "has 0 bytes"), (4095, "has 4095 bytes"), (4097, "more than 4096 bytes")]
        for (size, text) in others {
            let run = try decode("ghcb", file: Data(count: size))
            #expect(run.status == 66)
            #expect(run.output.isEmpty)
            #expect(run.errors.contains(text))
        }
        let endless = try ProgramRun(["decode", "ghcb", "/dev/zero"])
        #expect(endless.status == 66)
        #expect(endless.errors.contains("more than 4096 bytes"))
    }

    @Test("files that cannot be read are status 66", arguments: ["/nonexistent/file", "/"])
    func unreadable(path: String) throws {
        for what in ["ghcb", "dmesg"] {
            let run = try ProgramRun(["decode", what, path])
            #expect(run.status == 66)
            #expect(run.errors.contains(path))
        }
    }

    @Test("a script that never ends is status 66")
    func endlessScript() throws {
        #expect(try ProgramRun(["launch", "hello", "--batch", "-x", "/dev/zero"]).status == 66)
    }

    @Test(
        "usage errors are status 64",
        arguments: [
            ["msr"], ["msr", "zz"], ["msr", "0x10000000000000000"], ["exit"], ["exit", "nosuch"],
            ["exit", "0x7b", "1", "2", "3"], ["ghcb"], ["dmesg"], ["nosuch"],
        ])
    func usage(arguments: [String]) throws {
        let run = try ProgramRun(["decode"] + arguments)
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
    }

    @Test("a line without an end passes through in pieces, in time that grows with its length")
    func endless() throws {
        let size = 24 << 20
        let run = try decode("dmesg", file: Data(repeating: UInt8(ascii: "v"), count: size))
        #expect(run.status == 0)
        #expect(run.output.utf8.count { $0 == UInt8(ascii: "v") } == size)
    }

    @Test("lines that nobody knows pass through as they are, with the ends that they have")
    func unknown() throws {
        let text = "a\tb\r\n\n  vmgexit: nothing known \nsw_exit_code\n€ last\n"
        #expect(try decode("dmesg", file: Data(text.utf8)).output == text)
        let json = try decode("dmesg", "--json", file: Data(text.utf8)).output
        let lines = try json.split(separator: "\n").map { line in
            let record = try JSONSerialization.jsonObject(with: Data(line.utf8))
            return (record as? [String: Any])?["line"] as? String
        }
        #expect(lines.compactMap(\.self).joined(separator: "\n") + "\n" == text)
    }
}
