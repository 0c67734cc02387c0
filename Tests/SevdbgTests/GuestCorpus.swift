import Foundation
import Testing

/// The guests of Tests/Guests, built outside the repository, and how to run them.
enum GuestCorpus {
    /// What a program printed on its standard output, and how it ended.
    struct Run: Equatable {
        var status: Int32
        var text: String
    }

    /// A configuration of Tests/Guests/Makefile with the GHCB setup that its guests run under.
    struct Configuration: CustomTestStringConvertible, Sendable {
        var name: String
        var setup: String
        var testDescription: String { "\(name), \(setup)" }
    }

    /// A compiler's configurations: the ones that differ the most, and with `SEVDBG_GUESTS=all` in
    /// the environment the whole matrix.
    static func configurations(of compiler: String) -> [Configuration] {
        let most = compiler == "gcc" ? ["O2", "O0"] : ["O2-pie"]
        let matrix = ["O0", "O1", "O2", "O3", "Os", "O2-pie"]
        let setups = compiler == "gcc" ? ["trampoline", "pool"] : ["host", "pool", "trampoline"]
        return (wantsAll ? matrix : most).enumerated().map { index, level in
            Configuration(name: "\(compiler)-\(level)", setup: setups[index % setups.count])
        }
    }

    /// Programs whose native twin says what they print.
    static let twins = [
        "atomics", "bits", "checksums", "compression", "control", "coroutines", "floating",
        "formatting", "interpreter", "intrinsics", "parsing", "puzzles", "sorting", "strings",
        "structures", "vectors", "wide",
    ]

    /// Programs that only a virtual machine can run: a file beside the source says what they print.
    static let singles = ["exceptions", "handler", "paging", "shared", "smp", "user"]

    /// Programs of more than 250 000 instructions: too many to step through on KVM in each test run.
    static let long: Set<String> = [
        "bits", "checksums", "compression", "intrinsics", "puzzles", "smp", "sorting", "strings",
    ]

    /// Whether the environment asks for the whole matrix.
    static var wantsAll: Bool {
        ProcessInfo.processInfo.environment["SEVDBG_GUESTS"] == "all"
    }

    /// Whether this process may open /dev/kvm.
    static var hasKVM: Bool { FileManager.default.isWritableFile(atPath: "/dev/kvm") }

    static let sources = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Guests")

    /// Where a tool of this machine lies, if it is there; the Swift toolchain brings its clang.
    static func tool(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"
        let folders = path.split(separator: ":").map(String.init) + ["/opt/swift/usr/bin"]
        return folders.map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs a program to its end; what it says on stderr goes to the test's.
    static func run(_ path: String, _ arguments: [String] = []) throws -> Run {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Run(
            status: process.terminationStatus, text: String(decoding: text, as: UTF8.self))
    }

    /// Builds files of the matrix into a new temporary directory, which the caller removes.
    static func build(_ files: [String]) throws -> URL {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "sevdbg-guests-\(UUID().uuidString)")
        let options = [
            "-s", "-C", sources.path(), "OUT=\(folder.path())",
            "CLANG=\(tool("clang") ?? "clang")",
        ]
        let targets = files.map { "\(folder.path())/\($0)" }
        let made = try run(tool("make") ?? "make", options + targets)
        guard made.status == 0 else { throw BuildFailure(output: made.text) }
        return folder
    }

    /// The compiler's or the linker's refusal.
    struct BuildFailure: Error {
        var output: String
    }

    /// Runs a guest on a machine and keeps what it wrote to its console.
    static func launch(
        _ guest: URL, _ options: [String] = [], machine: String = "emulator"
    ) throws -> Run {
        let sevdbg = Bundle.main.bundleURL.appending(path: "sevdbg").path()
        let launched = try run(
            sevdbg,
            ["launch", guest.path(), "--batch", "--json", "--machine", machine] + options)
        let text = try launched.text.split(separator: "\n").compactMap { line in
            let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return record?["type"] as? String == "console" ? record?["text"] as? String : nil
        }
        return Run(status: launched.status, text: text.joined())
    }

    /// The text that a guest without a twin must print.
    static func expected(_ program: String) throws -> Run {
        let file = sources.appending(path: "\(program).expected")
        return Run(status: 0, text: try String(contentsOf: file, encoding: .utf8))
    }
}
