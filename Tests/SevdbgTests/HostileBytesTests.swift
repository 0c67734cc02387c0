import Foundation
import Testing

/// Bytes of guests and files never reach a terminal as anything but text.
@Suite(
    "Hostile bytes", .enabled(if: GuestCorpus.tool("gcc") != nil, "needs gcc"), .serialized)
struct HostileBytesTests {
    /// Every byte, and what terminals and people fall for.
    static let payload: [UInt8] = {
        let sequences = [
            "\u{1b}[31337m", "\u{1b}]52;c;ZXZpbA==\u{7}", "\u{1b}]8;;http://evil\u{1b}\\x",
            "\u{1b}P$q\u{1b}\\", "\u{9b}31337m", "\u{9d}0;evil\u{9c}", "\u{202e}evil\u{202c}",
            "\u{2066}\u{2069}", "\u{200b}\u{200d}\u{feff}\u{2060}\u{ad}\u{115f}\u{3164}",
            "e\u{301}\u{336}\u{20dd}", "\u{2028}\u{2029}\u{85}",
            "\u{e0041}\u{fe0f}\u{e000}\u{fffe}",
        ]
        let malformed: [[UInt8]] = [
            [0xc0, 0x9b], [0xe0, 0x80, 0x9b], [0xc1, 0x9b], [0xf0, 0x80, 0x80, 0x9b],
            [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc2], [0xe2, 0x82], [0xf0, 0x9f, 0x92],
        ]
        return sequences.flatMap { Array($0.utf8) + [0x20] } + malformed.flatMap { $0 + [0x20] }
            + (0...255).map { UInt8($0) }
    }()

    /// As much of it as a name can have: no NUL, and no slash.
    static let name = payload.filter { $0 != 0 && $0 != 0x2f }.prefix(160)

    private static let placeholder = String(repeating: "N", count: name.count)

    /// A guest with a hostile symbol that writes the payload to the console, and as a ucall.
    private static func guest() throws -> URL {
        let bytes = { (bytes: [UInt8]) in bytes.map { "\($0)" }.joined(separator: ",") }
        let source = """
            .globl _start, \(placeholder)
            _start: call \(placeholder)
            lea text(%rip), %rsi
            mov $(ucall - text), %ecx
            mov $0x3f8, %edx
            1: lodsb
            out %al, (%dx)
            loop 1b
            lea ucall(%rip), %rax
            push %rax
            mov %rsp, %rsi
            mov $8, %ecx
            mov $0x1000, %edx
            rep outsb
            pop %rax
            ret
            \(placeholder): nop
            ret
            text: .byte \(bytes(payload)),10
            ucall: .quad 3,0,0,0,0,0,0,0
            .byte \(bytes(payload.filter { $0 != 0 })),10
            .fill 1024

            """
        let folder = FileManager.default.temporaryDirectory.appending(path: "sevdbg-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let (assembly, file) = (folder.appending(path: "guest.S"), folder.appending(path: "guest"))
        try Data(source.utf8).write(to: assembly)
        let gcc = try GuestCorpus.run(
            try #require(GuestCorpus.tool("gcc")),
            [
                "-nostdlib", "-static", "-Wl,-Ttext=0x100000,--build-id=none", "-o", file.path(),
                assembly.path(),
            ])
        #expect(gcc.status == 0)
        var image = try [UInt8](Data(contentsOf: file))
        for place in image.ranges(of: Array(placeholder.utf8)) {
            image.replaceSubrange(place, with: name)
        }
        try Data(image).write(to: file)
        return file
    }

    /// What must not reach a terminal, where the program may move the cursor itself; empty where
    /// nothing does.
    private static func strays(_ bytes: [UInt8], isScreen: Bool = false) -> [String] {
        var text = String(decoding: bytes, as: UTF8.self)
        var strays = Array(text.utf8) == bytes ? [] : ["malformed UTF-8"]
        if text.contains("\u{1b}[31337") { strays.append("a sequence of the guest's") }
        if isScreen {
            text.replace(#/\x1b(\[[0-9;?]*[A-Za-z]|\(B|[=>78])/#, with: "")
            text.unicodeScalars.removeAll { ["\r", "\u{8}"].contains($0) }
        }
        text.unicodeScalars.removeAll { ["\n", "\t"].contains($0) }
        let bad = text.unicodeScalars.filter { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .nonspacingMark,
                .enclosingMark, .privateUse, .unassigned:
                true
            default: scalar.properties.isDefaultIgnorableCodePoint
            }
        }
        return strays + Set(bad).map { String($0.value, radix: 16) }.sorted()
    }

    private static let commands = [
        "continue", "info registers", "disassemble 0x100000", "evil\u{1b}[31337m",
    ]

    @Test("batch text and JSON", arguments: [[], ["--json"], ["--color", "always"]])
    func batch(options: [String]) throws {
        let guest = try Self.guest()
        defer { try? FileManager.default.removeItem(at: guest.deletingLastPathComponent()) }
        let all = Self.commands.flatMap { ["-e", $0] }
        for arguments in [all, ["--batch"]] {
            let run = try ProgramRun(["launch", guest.path()] + arguments + options)
            // What --color always writes of its own.
            let output = run.output.replacing(#/\x1b\[(0|1|36|1;31)m/#, with: "")
            // JSON has a record for each byte that a guest writes; the names are whole.
            #expect(run.output.contains("evil") || arguments == ["--batch"])
            #expect(Self.strays(Array(output.utf8)) == [])
            #expect(Self.strays(Array(run.errors.utf8)) == [])
        }
    }

    @Test("the terminal interface", arguments: ["C.UTF-8", "C"])
    func screen(locale: String) throws {
        let guest = try Self.guest()
        defer { try? FileManager.default.removeItem(at: guest.deletingLastPathComponent()) }
        let terminal = try PseudoTerminal(
            ["launch", guest.path()],
            environment: ["LC_ALL": locale], columns: 200, rows: 50)
        try terminal.wait(for: "at entry")
        try terminal.type("s")
        try terminal.wait(for: "stopped: step")
        try terminal.type("c")
        try terminal.wait(for: "ended: returned")
        for keys in [
            "5z", "\u{1b}[5~", "z", ":break \u{9b}31337m\u{202e}\r", ":\u{301}\u{200b}",
            "\u{1b}", ":disassemble 0x100000\r",
        ] {
            try terminal.type(keys)
            try terminal.drain()
        }
        #expect(terminal.contains("evil"))
        try terminal.type("\u{1b}")
        try terminal.drain()
        try terminal.type("q")
        #expect(try terminal.end() == .exit(0))
        #expect(Self.strays(terminal.output, isScreen: true) == [])
    }

    @Test("names of files, scripts, options and kernel logs")
    func files() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "sevdbg-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // Foundation's names are text: malformed UTF-8 is left to the guests above.
        let name = "\u{1b}]52;c;x\u{7}\u{1b}[31337m\u{9b}2J\u{202e}\u{200b}e\u{301}\u{7f}"
        let file = folder.path() + name
        try Data(Self.payload + [10]).write(to: URL(filePath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        for arguments in [
            ["launch", file, "--batch"], ["launch", file + "no"], ["launch", "hello", "-x", file],
            ["launch", "hello", "-x", file + "no"], ["decode", "ghcb", file],
            ["decode", "dmesg", file], ["decode", "dmesg", file, "--json"],
            ["decode", "ghcb", file + "no"], ["decode", "exit", name], ["decode", "msr", name],
            ["launch", "hello", "--" + name], ["launch", "hello", "--break", name, "--batch"],
            ["launch", "hello", "--ghcb", name], [name], ["launch", "hello", "--args", name],
        ] {
            let run = try ProgramRun(arguments)
            #expect(Self.strays(Array(run.output.utf8)) == [], "\(arguments)")
            #expect(Self.strays(Array(run.errors.utf8)) == [], "\(arguments)")
        }
    }
}
