import ArgumentParser
import VCPUControl

/// How `decode` shows what it found.
struct DecodeOutput: ParsableArguments {
    @Flag(help: "Print one JSON object a line.")
    var json = false

    func show(_ decodings: [Decoding]) {
        var writer = DecodeWriter(isJSON: json)
        for decoding in decodings { writer.show(decoding) }
        writer.flush()
    }
}

/// Writes decodings as text or JSON lines.
struct DecodeWriter {
    private let isJSON: Bool
    private var output = StandardOutput(isUnbuffered: false)

    init(isJSON: Bool) { self.isJSON = isJSON }

    /// Writes a decoding without the input that it explains.
    mutating func show(_ decoding: Decoding) {
        guard !isJSON else { return write(decoding.value.json) }
        for line in decoding.lines { write(line) }
    }

    /// Writes an input line, and what it means where that is known.
    mutating func show(_ decoding: Decoding?, of line: String) {
        guard !isJSON else {
            return write(
                .object([
                    .init("line", .string(line)),
                    .init("decoded", decoding?.value.json ?? .null),
                ]))
        }
        // The carriage return of a line end is no control character in the line.
        let end = line.utf8.last == UInt8(ascii: "\r") ? 1 : 0
        let text = String(decoding: line.utf8.dropLast(end), as: UTF8.self)
        write(EscapedText.line(text) + String(repeating: "\r", count: end))
        for line in decoding?.lines ?? [] { write("    " + line) }
    }

    mutating func flush() { output.flush() }

    private mutating func write(_ line: String) { output.write((line + "\n").utf8) }

    private mutating func write(_ value: JSONValue) {
        var bytes: [UInt8] = []
        value.write(to: &bytes)
        output.write(bytes + [UInt8(ascii: "\n")])
    }
}

extension DecodedValue {
    fileprivate var json: JSONValue {
        switch self {
        case .text(let text): .string(text)
        case .number(let number): .number(number)
        case .flag(let flag): .bool(flag)
        case .list(let values): .array(values.map(\.json))
        case .record(let members): .object(members.map { .init($0.name, $0.value.json) })
        }
    }
}

/// Cuts a stream of bytes into lines.
struct LineSplitter {
    private var waiting: [UInt8] = []

    /// A longer line, in bytes, is handed over in pieces: a stream need not have any line ends.
    static let longestLine = 1 << 20

    /// The lines that end in these bytes, without their ends.
    mutating func split(_ bytes: [UInt8]) -> [String] {
        var lines: [String] = []
        for part in bytes.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        {
            if part.startIndex > bytes.startIndex { lines.append(take()) }
            waiting += part
        }
        if waiting.count > Self.longestLine { lines.append(take()) }
        return lines
    }

    private mutating func take() -> String {
        defer { waiting = [] }
        return String(decoding: waiting, as: UTF8.self)
    }

    /// A last line without an end.
    var rest: String? { waiting.isEmpty ? nil : String(decoding: waiting, as: UTF8.self) }
}

/// A number of the command line, in decimal or 0x….
struct Word: ExpressibleByArgument {
    var bits: UInt64

    init?(argument: String) {
        guard let bits = Number.parse(argument) else { return nil }
        self.bits = bits
    }
}
