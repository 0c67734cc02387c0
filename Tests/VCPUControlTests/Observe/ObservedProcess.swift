import Foundation

/// Tests/StrictVMM as a process: a VMM that checks itself, to be observed.
struct ObservedProcess {
    private let process = Process()
    private let output = Pipe()
    let pid: Int32

    private static let source = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "StrictVMM/strict-vmm.c")

    /// Why it cannot be had here, if so.
    static let obstacle: String? = {
        let files = FileManager.default
        if !files.isWritableFile(atPath: "/dev/kvm") { return "there is no /dev/kvm to use" }
        return files.isExecutableFile(atPath: "/usr/bin/gcc") ? nil : "there is no gcc"
    }()

    /// Built once for all tests.
    private static let program: Result<URL, any Error> = Result {
        let file = FileManager.default.temporaryDirectory
            .appending(path: "strict-vmm-\(ProcessInfo.processInfo.processIdentifier)")
        let compiler = try Process.run(
            URL(filePath: "/usr/bin/gcc"),
            arguments: ["-O2", "-pthread", "-o", file.path(), source.path()])
        compiler.waitUntilExit()
        guard compiler.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
        return file
    }

    /// Starts it, and waits until its vCPUs run.
    init() throws {
        process.executableURL = try Self.program.get()
        process.standardOutput = output
        try process.run()
        pid = process.processIdentifier
        _ = output.fileHandleForReading.availableData
    }

    /// Ends it.
    ///
    /// - Returns: its totals, with `irregular 0` where it noticed nothing.
    func end() -> String {
        process.terminate()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: text, as: UTF8.self)
    }
}
