import Glibc
import SystemPackage
import VCPUControl

/// Standard output, buffered; a reader that has gone ends the program quietly.
struct StandardOutput {
    /// Whether each event is written at once: somebody, or some program, waits for it.
    var isUnbuffered: Bool
    private var buffer: [UInt8] = []

    private static let capacity = 1 << 16

    init(isUnbuffered: Bool) { self.isUnbuffered = isUnbuffered }

    /// Whether a terminal shows it.
    static var isTerminal: Bool { isatty(FileDescriptor.standardOutput.rawValue) == 1 }

    mutating func write(_ bytes: some Sequence<UInt8>) {
        buffer += bytes
        if isUnbuffered || buffer.count >= Self.capacity { flush() }
    }

    mutating func flush() {
        guard !buffer.isEmpty else { return }
        do {
            try FileDescriptor.standardOutput.writeAll(buffer)
        } catch {
            // Nobody reads any more: what SIGPIPE does to programs that do not ignore it.
            if error as? Errno == .brokenPipe { exit(ProgramStatus.signal(SIGPIPE).number) }
            StandardError.message("cannot write to standard output: \(error)")
            exit(ProgramStatus.commandFailed.number)
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

enum StandardError {
    /// Writes one line for the user, as the program's.
    static func message(_ text: String) { line("sevdbg: " + text) }

    /// Writes one line without a control character; there is nothing to do where that fails.
    static func line(_ text: String) {
        let line = EscapedText.line(text) + "\n"
        _ = try? FileDescriptor.standardError.writeAll(Array(line.utf8))
    }
}
