import Foundation

/// What users have without sevdbg: gdb's `stepi` over the debug stub of QEMU with KVM.
struct QEMUStub {
    private static let emulator = "/usr/bin/qemu-system-x86_64"
    static let gdb = "/usr/bin/gdb"

    /// Why it cannot be measured here.
    static var obstacle: String? {
        let missing = [emulator, gdb].first { !FileManager.default.isExecutableFile(atPath: $0) }
        return missing.map { "needs \($0)" }
    }

    /// Steps a second of a guest of two instructions in a loop, in one `stepi N`.
    static func stepsPerSecond(steps: Int) throws -> Double {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "sevdbg-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (rom, socket) = (folder.appending(path: "rom"), folder.appending(path: "socket"))
        try Data(image).write(to: rom)
        let process = Process()
        process.executableURL = URL(filePath: emulator)
        process.arguments =
            ["-accel", "kvm", "-cpu", "qemu64", "-m", "16", "-display", "none", "-nodefaults"]
            + ["-no-reboot", "-bios", rom.path(), "-S"]
            + ["-gdb", "unix:\(socket.path()),server=on,wait=off"]
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        for _ in 0..<500 where !FileManager.default.fileExists(atPath: socket.path()) {
            usleep(10_000)
        }
        return Double(steps) / (try time(of: steps, socket.path()))
    }

    /// INC EAX and a jump back to it, where a processor starts.
    private static var image: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 0x10000)
        bytes.replaceSubrange(0xfff0..<0xfff4, with: [0x66, 0x40, 0xeb, 0xfc])
        return bytes
    }

    /// Seconds between two calls of date(1) that gdb makes.
    private static func time(of steps: Int, _ socket: String) throws -> Double {
        let commands = [
            "target remote \(socket)", "shell date +%s.%N", "stepi \(steps)", "shell date +%s.%N",
            "detach",
        ]
        let options = ["-nx", "-q", "-batch", "-iex", "set debuginfod enabled off"]
        let text = try output(of: gdb, options + commands.flatMap { ["-ex", $0] })
        let times = text.split(separator: "\n").compactMap { Double($0) }
        guard times.count == 2, times[1] > times[0] else {
            throw Failure(text: "gdb over QEMU's stub printed: \(text)")
        }
        return times[1] - times[0]
    }
}
