import Foundation
import Testing

/// What a run of the program left behind.
struct ProgramRun {
    var status: Int32
    var output: String
    var errors: String

    /// Runs the program beside the tests, through another one where that is given, and waits for it.
    init(
        _ arguments: [String], through prefix: [String] = [], environment: [String: String] = [:]
    ) throws {
        let process = Process()
        let program = Bundle.main.bundleURL.appending(path: "sevdbg").path()
        let all = prefix + [program] + arguments
        process.executableURL = URL(filePath: all[0])
        process.arguments = Array(all.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (output, errors) = (Pipe(), Pipe())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let messages = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        status =
            process.terminationReason == .exit
            ? process.terminationStatus : 128 + process.terminationStatus
        self.output = String(decoding: text, as: UTF8.self)
        self.errors = String(decoding: messages, as: UTF8.self)
    }
}

@Suite("The program")
struct ProgramTests {
    @Test("help and version answer on stdout with status 0")
    func help() throws {
        for arguments in [["--help"], ["launch", "--help"], ["guests", "--help"], ["help"]] {
            let run = try ProgramRun(arguments)
            #expect(run.status == 0)
            #expect(run.output.contains("USAGE"))
            #expect(run.errors.isEmpty)
        }
        let version = try ProgramRun(["--version"])
        #expect(version.status == 0)
        #expect(version.output.hasPrefix("sevdbg "))
    }

    @Test("guests lists the built-in ones")
    func guests() throws {
        let run = try ProgramRun(["guests"])
        #expect(run.status == 0)
        #expect(run.output.split(separator: "\n").contains { $0.hasPrefix("hello ") })
    }

    @Test(
        "usage errors are status 64, on stderr",
        arguments: [
            ["launch"], ["nosuch"], ["launch", "hello", "--nosuch"],
            ["launch", "hello", "--ghcb", "swimming"], ["launch", "hello", "--ghcb-version", "3"],
            ["launch", "hello", "--vcpus", "0"], ["launch", "hello", "--vcpus", "x"],
            ["launch", "hello", "--memory", "16Q"], ["launch", "hello", "--args", "1,,2"],
            ["launch", "hello", "--args", "1,2,3,4,5,6,7"], ["launch", "hello", "hello"],
            ["launch", "hello", "--visibility", "x"], ["launch", "hello", "--color", "blue"],
        ])
    func usage(arguments: [String]) throws {
        let run = try ProgramRun(arguments)
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
        #expect(!run.errors.isEmpty)
    }

    @Test("a launch without a guest names `sevdbg guests`")
    func noGuest() throws {
        #expect(try ProgramRun(["launch"]).errors.contains("`sevdbg guests`"))
    }

    @Test("files that cannot be read are status 66")
    func files() throws {
        let guest = try ProgramRun(["launch", "/nonexistent/guest", "--batch"])
        #expect(guest.status == 66)
        #expect(guest.output.isEmpty)
        #expect(guest.errors.contains("/nonexistent/guest"))
        let script = try ProgramRun(["launch", "hello", "-x", "/nonexistent/script"])
        #expect(script.status == 66)
        #expect(script.errors.contains("/nonexistent/script"))
        #expect(try ProgramRun(["launch", "hello", "-x", "/"]).status == 66)
    }
}
