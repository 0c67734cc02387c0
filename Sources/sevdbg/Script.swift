import VCPUControl

/// One command of a script, and where it was written.
struct ScriptCommand: Equatable, Sendable {
    var text: String
    /// `FILE:LINE`, or `-e` and its number; empty for a command that nobody wrote.
    var origin: String
}

/// Where commands come from, in the order of the command line.
enum ScriptSource: Sendable, Equatable {
    case command(String)
    case file(String)
}

enum Script {
    /// The longest script in bytes, 16 MiB.
    private static let longestScript = 1 << 24

    /// All commands in order, without empty lines and comments.
    static func commands(of sources: [ScriptSource]) throws(InputError) -> [ScriptCommand] {
        var commands: [ScriptCommand] = []
        var number = 0
        for source in sources {
            switch source {
            case .command(let text):
                number += 1
                commands.append(ScriptCommand(text: text, origin: "-e \(number)"))
            case .file(let path): commands += lines(try text(path), of: path)
            }
        }
        return commands
    }

    private static func lines(_ text: String, of path: String) -> [ScriptCommand] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.enumerated().compactMap { index, line in
            let command = line.drop { $0 == " " || $0 == "\t" }
            guard !command.isEmpty, !command.hasPrefix("#"), command != "\r" else { return nil }
            let text = command.hasSuffix("\r") ? command.dropLast() : command
            return ScriptCommand(text: String(text), origin: "\(path):\(index + 1)")
        }
    }

    private static func text(_ path: String) throws(InputError) -> String {
        let bytes = try InputFile.bytes(path, as: "script", atMost: longestScript)
        return String(decoding: bytes, as: UTF8.self)
    }
}
