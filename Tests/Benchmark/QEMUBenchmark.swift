import Foundation

/// Single steps as users have them without sevdbg: gdb over QEMU's stub, with `-accel kvm`.
struct QEMUBenchmark {
    private static let steps = 500

    /// Instructions at the first bytes of the ROM: inc %ax; inc %bx; add %ax, %cx; jmp back.
    private static let code: [UInt8] = [0x40, 0x43, 0x01, 0xc1, 0xeb, 0xfa]
    /// At the reset vector, 16 bytes before the end: ljmp $0xf000, $0.
    private static let reset: [UInt8] = [0xea, 0x00, 0x00, 0x00, 0xf0]
    private static let romSize = 1 << 16

    /// A VM that executes a ROM.
    static func arguments(_ rom: String) -> [String] {
        ["-accel", "kvm", "-cpu", "qemu64", "-m", "16", "-display", "none", "-nodefaults"]
            + ["-bios", rom]
    }

    /// How gdb is told to step.
    enum Form: String, CaseIterable {
        /// One command for all, which shows where it ends.
        case counted = "stepi N"
        /// One command for each.
        case single = "stepi"

        fileprivate func commands(_ steps: Int) -> [String] {
            switch self {
            case .counted: ["stepi \(steps)"]
            case .single: Array(repeating: "stepi", count: steps)
            }
        }
    }

    /// Steps a second, without the time that both programs take to start.
    func measure(_ form: Form) throws -> Double {
        let (one, all) = (try seconds(1, form), try seconds(Self.steps, form))
        guard all > one else { throw Failure(text: "\(Self.steps) steps of gdb take no time") }
        return Double(Self.steps - 1) / (all - one)
    }

    /// What a start of both and so many steps take.
    private func seconds(_ steps: Int, _ form: Form) throws -> Double {
        try withROM { rom in
            let words = ["exec", "qemu-system-x86_64"] + Self.arguments(rom)
            let qemu = words.joined(separator: " ") + " -S -gdb stdio 2>/dev/null"
            let commands =
                ["target remote | \(qemu)"] + form.commands(steps)
                // Whether the last command succeeds is gdb's status, and QEMU may be gone too soon.
                + ["printf \"ax %d\\n\", $rax", "kill", "echo"]
            let start = ContinuousClock.now
            let text = try output(
                of: "/bin/sh",
                ["-c", "exec gdb \"$@\" 2>/dev/null", "sh", "-nx", "-q", "-batch"]
                    + ["-iex", "set debuginfod enabled off"]
                    + commands.flatMap { ["-ex", $0] })
            // The first step is the jump; of the others every fourth counts, from the first on.
            guard text.contains("ax \((steps + 2) / 4)\n") else {
                throw Failure(text: "gdb and QEMU do not step through a ROM: \(text)")
            }
            return (ContinuousClock.now - start) / .seconds(1)
        }
    }

    func withROM<Result>(_ body: (String) throws -> Result) throws -> Result {
        var rom = [UInt8](repeating: 0xf4, count: Self.romSize)
        rom.replaceSubrange(0..<Self.code.count, with: Self.code)
        rom.replaceSubrange(
            Self.romSize - 16..<Self.romSize - 16 + Self.reset.count, with: Self.reset)
        let file = FileManager.default.temporaryDirectory.appending(path: "rom-\(getpid()).bin")
        try Data(rom).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try body(file.path())
    }
}
