import Foundation
import VCPUControl

/// Attaching to a VMM that runs, beside gdb: on the same QEMU, and stepping over QEMU's stub.
struct AttachBenchmark {
    /// The helper that was made from `kvm.c`: with 0 steps a VMM that does nothing but KVM_RUN.
    var helper: String
    var sevdbg: String

    private static let steps: UInt64 = 200_000

    /// Prints the lines, or why there are none.
    func report(rounds: Int) throws {
        guard FileManager.default.isWritableFile(atPath: "/dev/kvm") else {
            print("attach: left out, needs /dev/kvm")
            return
        }
        try QEMUBenchmark().withROM { try reportAttach(rounds, $0) }
        try reportSteps(rounds)
    }

    private func reportAttach(_ rounds: Int, _ rom: String) throws {
        let victim = try Victim("/usr/bin/qemu-system-x86_64", QEMUBenchmark.arguments(rom))
        var (own, gdb): ([Double], [Double]) = ([], [])
        let options = ["-nx", "-q", "-batch", "-iex", "set debuginfod enabled off"]
        for _ in 0..<rounds {
            own.append(
                try milliseconds(sevdbg, ["attach", victim.process, "-e", "info registers rip"]))
            gdb.append(try milliseconds("/usr/bin/gdb", options + ["-p", victim.process]))
        }
        let (mine, theirs) = (median(own), median(gdb))
        print(
            String(
                format: "attach, look, detach: sevdbg %.1f ms  gdb -p %.1f ms  ratio %.2f",
                mine, theirs, mine / theirs))
    }

    /// From the start to the end of what it prints: Foundation notices an exit only a while later.
    private func milliseconds(_ program: String, _ arguments: [String]) throws -> Double {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardOutput = output
        // gdb complains of missing sources.
        process.standardError = FileHandle.nullDevice
        let clock = ContinuousClock()
        let start = clock.now
        try process.run()
        _ = output.fileHandleForReading.readDataToEndOfFile()
        let time = clock.now - start
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(text: "\(program) left with \(process.terminationStatus)")
        }
        return time / .milliseconds(1)
    }

    /// gdb's steps are those of one `stepi N`, as sevdbg's.
    private func reportSteps(_ rounds: Int) throws {
        var row = Row("steps, attached")
        for _ in 0..<rounds {
            row.add(try stepsPerSecond(), anchor: try QEMUBenchmark().measure(.counted))
        }
        print(row.text(beside: "gdb stepi N, QEMU", digits: 4))
    }

    /// Steps a second of the guest `spin` in a VMM that knows nothing of it.
    private func stepsPerSecond() throws -> Double {
        try withSpin { file in
            let victim = try Victim(helper, [file, "0"])
            let number = Int32(victim.process) ?? 0
            let machine = try ForeignMachine(process: number, program: sevdbg)
            defer { machine.leave() }
            // The first step tells the tracer how this KVM steps.
            var end: UInt64 = 1
            let step = { [machine] in
                while machine.instructions(of: 0) < end {
                    _ = try machine.run(.one(0), limit: end - machine.instructions(of: 0))
                }
            }
            try step()
            end += Self.steps
            return try Benchmark.rate {
                try step()
                return Self.steps
            }
        }
    }
}

/// A VMM to attach to, until the end of this object.
private final class Victim {
    private let running = Process()

    var process: String { String(running.processIdentifier) }

    /// Starts it, and waits until it has a vCPU.
    init(_ program: String, _ arguments: [String] = []) throws {
        running.executableURL = URL(filePath: program)
        running.arguments = arguments
        running.standardOutput = FileHandle.nullDevice
        running.standardError = FileHandle.nullDevice
        try running.run()
        for _ in 0..<500 {
            let maps = try FileHandle(forReadingFrom: URL(filePath: "/proc/\(process)/maps"))
            let names = String(decoding: try maps.readToEnd() ?? Data(), as: UTF8.self)
            if names.contains("kvm-vcpu") { return }
            usleep(10_000)
        }
        throw Failure(text: "\(program) does not run")
    }

    deinit {
        running.terminate()
        running.waitUntilExit()
    }
}
