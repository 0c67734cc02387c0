import Foundation

/// A step in the terminal, from the key to the last byte of the painted frame, beside gdb's TUI.
///
/// Both run on a pty of 120 columns and 40 rows; `terminal.c` has the keys and the clock.
struct TerminalBenchmark {
    /// The helper that was made from `terminal.c`.
    var helper: String
    var sevdbg: String

    /// What a run of the helper printed.
    struct Measurement {
        /// Microseconds of a key, and bytes that it made the program write.
        var time, bytes, mostBytes: Double
        /// A second without a key: bytes, and microseconds of processor time.
        var idleBytes, idleTime: Double
    }

    /// gdb 13's TUI ends of itself after a few dozen steps, so that each run is short.
    private static let keys = 20

    func own() throws -> Measurement {
        try measure("", "s", [sevdbg, "launch", "spin"])
    }

    func gdb() throws -> Measurement {
        let options = ["-nx", "-q", "-iex", "set debuginfod enabled off"]
        return try measure(
            #"layout asm\nlayout regs\nstarti\n"#, #"stepi\n"#, ["gdb"] + options + ["/bin/true"])
    }

    private func measure(
        _ setUp: String, _ key: String, _ command: [String]
    ) throws -> Measurement {
        let text = try output(
            of: helper, ["120", "40", String(Self.keys), setUp, key] + command)
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        guard numbers.count == 5 else { throw Failure(text: "\(helper) printed: \(text)") }
        return Measurement(
            time: numbers[0], bytes: numbers[1], mostBytes: numbers[2], idleBytes: numbers[3],
            idleTime: numbers[4])
    }
}

extension TerminalBenchmark {
    /// The medians of some rounds, in which both take turns.
    func report(rounds: Int) throws {
        var (own, gdb): ([Measurement], [Measurement]) = ([], [])
        for _ in 0..<rounds {
            own.append(try self.own())
            gdb.append(try self.gdb())
        }
        let (mine, theirs) = (median(own.map(\.time)), median(gdb.map(\.time)))
        print(
            String(
                format: "key to frame, 120x40: sevdbg %.1f ms  gdb TUI %.1f ms  ratio %.2f",
                mine / 1000, theirs / 1000, mine / theirs))
        print(
            String(
                format: "bytes of a step: sevdbg %.0f (at most %.0f)  gdb TUI %.0f",
                median(own.map(\.bytes)), own.map(\.mostBytes).max() ?? 0,
                median(gdb.map(\.bytes))))
        print(
            String(
                format: "a second without a key: %.0f bytes, %.0f us of processor time",
                median(own.map(\.idleBytes)), median(own.map(\.idleTime))))
    }
}

/// What a program prints; a status other than 0 is an error.
func output(of program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw Failure(text: "\(program) left with \(process.terminationStatus)")
    }
    return text
}
