import Foundation
import Glibc
import Testing

/// A running VMM that checks itself: Tests/StrictVMM.
final class StrictVMM {
    /// What it says of itself.
    struct Report: Equatable {
        var rounds: [Int]
        /// Exits, answers, registers or memory that were not what they have to be.
        var irregular: Int
        /// Times that KVM_RUN returned EINTR without a signal.
        var unasked: Int
        var ticks: Int
        var signals: Int
    }

    struct Failure: Error { var text: String }

    /// Why there can be none here.
    static let obstacle: String? = {
        let descriptor = unsafe open("/dev/kvm", O_RDWR)
        if descriptor >= 0 { close(descriptor) }
        if descriptor < 0 { return "needs /dev/kvm" }
        return GuestCorpus.tool("cc") == nil ? "needs a C compiler" : nil
    }()

    static let sources = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "StrictVMM")

    /// A new temporary directory, which the caller removes.
    static func makeFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "sevdbg-attach-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private let process = Process()
    private let output: FileHandle
    private let folder: URL
    private var rest = ""

    var number: Int32 { process.processIdentifier }

    /// Builds it, starts it, and waits until its vCPUs run.
    init(_ arguments: [String] = []) throws {
        folder = try Self.makeFolder()
        let program = folder.appending(path: "strict-vmm")
        let source = Self.sources.appending(path: "strict-vmm.c").path()
        let options = ["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]
        let built = try GuestCorpus.run(
            GuestCorpus.tool("cc") ?? "cc", options + ["-o", program.path(), source])
        guard built.status == 0 else { throw Failure(text: "cannot be built: \(built.text)") }
        let pipe = Pipe()
        output = pipe.fileHandleForReading
        process.executableURL = program
        process.arguments = arguments
        process.standardOutput = pipe
        try process.run()
        guard try line() == "running" else { throw Failure(text: "does not run") }
    }

    deinit {
        if process.isRunning { kill(number, SIGKILL) }
        try? FileManager.default.removeItem(at: folder)
    }

    /// What it has to say until now.
    func report() throws -> Report {
        kill(number, SIGUSR1)
        return try Self.parse(try line())
    }

    /// Ends it.
    func end() throws -> (report: Report, status: Int32) {
        kill(number, SIGTERM)
        let report = try Self.parse(try line())
        process.waitUntilExit()
        return (report, process.terminationStatus)
    }

    func killed() {
        kill(number, SIGKILL)
        process.waitUntilExit()
    }

    /// Waits until its rounds come to an end, with `--asleep`.
    func waitUntilAsleep() throws {
        for _ in 0..<500 {
            let before = try report().rounds
            usleep(20_000)
            if try report().rounds == before { return }
        }
        throw Failure(text: "does not fall asleep")
    }

    /// Waits until nobody traces it.
    func waitUntilFree() throws { try wait(untilTraced: false) }

    /// Waits until somebody traces a thread of it, or nobody does.
    func wait(untilTraced wanted: Bool) throws {
        for _ in 0..<1000 {
            let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(number)/task")
            let isTraced = tasks.contains { task in
                let path = "/proc/\(number)/task/\(task)/status"
                let status = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
                return !status.isEmpty && !status.contains("\nTracerPid:\t0\n")
            }
            if isTraced == wanted { return }
            usleep(5_000)
        }
        throw Failure(text: wanted ? "is not traced" : "is traced still")
    }

    private func line() throws -> String {
        while true {
            if let end = rest.firstIndex(of: "\n") {
                defer { rest = String(rest[rest.index(after: end)...]) }
                return String(rest[..<end])
            }
            let part = output.availableData
            guard !part.isEmpty else { throw Failure(text: "has ended: \(rest)") }
            rest += String(decoding: part, as: UTF8.self)
        }
    }

    private static func parse(_ line: String) throws -> Report {
        let words = line.split(separator: " ")
        let numbers = words.compactMap { Int($0) }
        guard words.first == "rounds", numbers.count == 6 else { throw Failure(text: line) }
        return Report(
            rounds: Array(numbers[0...1]), irregular: numbers[2], unasked: numbers[3],
            ticks: numbers[4], signals: numbers[5])
    }
}
