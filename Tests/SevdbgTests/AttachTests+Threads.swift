import Foundation
import Glibc
import Testing
import VCPUControl

// VMMs whose vCPUs are not all in KVM_RUN at once, and those that debug their guests.
extension AttachTests {
    @Test(
        "vCPUs in turn on one thread, and threads that wait for each other: each can be stepped",
        arguments: ["--turns", "--alternate"])
    func turns(mode: String) throws {
        let vmm = try StrictVMM([mode])
        for _ in 0..<Self.count("SEVDBG_ATTACH_CYCLES", 60) / 20 {
            let machine = try ForeignMachine(process: vmm.number, program: Self.program)
            for vcpu in [0, 1, 1, 0] {
                let goal = machine.instructions(of: vcpu) + 400
                while machine.instructions(of: vcpu) < goal {
                    _ = try machine.run(
                        .one(vcpu), limit: goal - machine.instructions(of: vcpu))
                }
                #expect(machine.instructions(of: vcpu) == goal)
            }
            machine.leave()
        }
        try Self.expectUndisturbed(vmm)
    }

    @Test(
        "a vCPU that is not in KVM_RUN can be looked at, and is stepped when its turn comes",
        arguments: ["--turns", "--alternate"])
    func outside(mode: String) throws {
        let vmm = try StrictVMM([mode])
        let run = try Self.attach(
            vmm, "print/x $r8", "vcpu 1", "print/x $r8", "print $cr3", "stepi 200",
            "set $rax = $rax", "break *0x10042", "continue", "continue", "continue", "continue",
            "vcpu")
        #expect(run.status == 0 && run.errors.isEmpty, "\(run)")
        // A constant of each vCPU.
        #expect(run.output.contains("$1 = 0x9e3779b97f4a7c15"), "\(run)")
        #expect(run.output.contains("$2 = 0x9e3779b97f4a7c14"), "\(run)")
        #expect(run.output.contains("$3 = 0x1000"), "\(run)")
        let stops = run.output.split(separator: "\n").filter { $0.hasSuffix(": breakpoint 1") }
        #expect(stops.count == 4 && Set(stops).count == 2, "\(run)")
        try Self.expectUndisturbed(vmm)
    }

    @Test("a VM that has not begun, or stands still, is looked at, and held when it goes on")
    func asleep() throws {
        let vmm = try StrictVMM(["--asleep"])
        for round in 0..<2 {
            let run = try Self.attach(
                vmm, "print/x $r8", "print $cr3", "x/1xb 0x10000", "vcpu 1", "print/x $r8")
            #expect(run.output.contains("* vCPU 1   outside  0x10"), "\(run)")
            #expect(run.status == 0 && run.errors.isEmpty, "\(run)")
            for text in [
                "$1 = 0x9e3779b97f4a7c15", "$2 = 0x1000", "0xb9", "$3 = 0x9e3779b97f4a7c14",
            ] { #expect(run.output.contains(text), "\(run)") }
            let changed = try Self.attach(vmm, "set $r8 = 0")
            #expect(
                changed.status == 1 && changed.errors.contains("is outside KVM_RUN"), "\(changed)")
            let report = try vmm.report()
            #expect(report.irregular == 0 && (report.rounds[0] > 0) == (round > 0))
            let output = try Self.attach(
                vmm, ["break *0x10042", "continue", "delete", "stepi 100"]
            ) { kill(vmm.number, SIGUSR2) }
            #expect(output.contains(#""reason":"breakpoint""#), "\(output)")
            #expect(output.contains(#""instructions":100"#), "\(output)")
            kill(vmm.number, SIGUSR2)
            try vmm.waitUntilAsleep()
        }
        kill(vmm.number, SIGUSR2)
        try Self.expectUndisturbed(vmm)
    }

    /// Attaches, and does something else when that is done.
    private static func attach(
        _ vmm: StrictVMM, _ commands: [String], whenAttached body: () -> Void
    ) throws -> String {
        let (process, pipe) = (Process(), Pipe())
        process.executableURL = URL(filePath: program)
        process.arguments =
            ["attach", "\(vmm.number)", "--json"] + commands.flatMap { ["-e", $0] }
        process.standardOutput = pipe
        try process.run()
        // JSON lines are written at once, the head first.
        let head = pipe.fileHandleForReading.availableData
        body()
        let output = head + pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: output, as: UTF8.self)
    }

    /// Whether breakpoints of the processor work on this KVM, as the VMM needs them.
    static let hasBreakpoints: Bool = {
        guard let vmm = try? StrictVMM(["--break"]) else { return false }
        for _ in 0..<100 {
            guard let report = try? vmm.report() else { return false }
            if report.irregular > 0 { return false }
            if report.rounds.allSatisfy({ $0 > 0 }) { return true }
            usleep(10_000)
        }
        return false
    }()

    @Test(
        "a VMM's own breakpoints are met while its vCPUs are stepped, and beside those of the debugger",
        .enabled(if: bpfObstacle == nil, Comment(rawValue: bpfObstacle ?? "")),
        .enabled(if: hasBreakpoints, "needs breakpoints of the processor"))
    func ownBreakpoints() throws {
        let vmm = try StrictVMM(["--break"])
        for commands in [
            ["stepi", "stepi 600", "vcpu 1", "stepi 600"],
            [
                "break *0x1003f", "break *0x10042", "continue", "continue", "continue", "delete",
                "stepi",
            ],
            ["info registers", "break *0x10042", "continue", "delete", "stepi", "stepi 160"],
            [0x10_03f, 0x10_042, 0x10_047, 0x1_0049].map { "break *\($0)" } + ["continue"],
        ] {
            let arguments = commands.flatMap { ["-e", $0] }
            let run = try ProgramRun(["attach", "\(vmm.number)"] + arguments)
            #expect(run.status == 0 && run.errors.isEmpty, "\(run)")
            let stops = run.output.split(separator: "\n").count { $0.contains(": breakpoint ") }
            #expect(stops == commands.count { $0 == "continue" }, "\(run)")
        }
        try Self.expectUndisturbed(vmm)
    }

    /// The text that a guest of ours ends with, and how many instructions that took.
    private static func launch(
        _ schedule: String, _ prefix: [String] = [], _ body: (Int32) throws -> Void
    ) throws -> (status: Int32, output: String) {
        let (process, pipe) = (Process(), Pipe())
        let arguments =
            prefix + [program, "launch", "spin", "--machine", "kvm", "--vcpus", "2"]
            + ["--schedule", schedule, "--args", "60000", "--batch"]
        process.executableURL = URL(filePath: arguments[0])
        process.arguments = Array(arguments.dropFirst())
        process.standardOutput = pipe
        try process.run()
        defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
        try body(process.processIdentifier)
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    @Test(
        "our own launch on KVM, in turns and on threads: its guest does what it does without us",
        .enabled(if: bpfObstacle == nil, Comment(rawValue: bpfObstacle ?? "")),
        arguments: ["turns", "threads"])
    func ownLaunch(schedule: String) throws {
        let alone = try Self.launch(schedule) { _ in }
        #expect(alone.status == 0)
        let held = try Self.launch(schedule) { process in
            for _ in 0..<500 where !Self.runs(process) { usleep(10_000) }
            for _ in 0..<2 {
                let run = try ProgramRun(
                    ["attach", "\(process)", "-e", "stepi 300", "-e", "vcpu 1", "-e", "stepi 300"])
                #expect(run.status == 0 && run.errors.isEmpty, "\(run)")
                #expect(run.output.contains("[attached to sevdbg"))
                #expect(run.output.contains("600 instructions"), "\(run)")
            }
        }
        #expect(held.status == alone.status)
        #expect(held.output == alone.output)
    }

    /// A command that runs another one as a user without privileges has it, BPF among them.
    static let drop: [String]? = GuestCorpus.tool("setpriv").map {
        [$0, "--inh-caps=-all", "--bounding-set=-all"]
    }

    @Test(
        "without privileges: guest memory by the page tables, and what a VMM debugs is left alone",
        .enabled(if: drop != nil, "needs setpriv"), arguments: ["turns", "threads"])
    func unprivileged(schedule: String) throws {
        let drop = try #require(Self.drop)
        let held = try Self.launch(schedule, drop) { process in
            for _ in 0..<500 where !Self.runs(process) { usleep(10_000) }
            let commands = ["info memory", "x/1i $rip", "stepi 50"].flatMap { ["-e", $0] }
            let run = try ProgramRun(["attach", "\(process)"] + commands, through: drop)
            #expect(run.output.contains("a mapping of the VMM whose page tables agree"), "\(run)")
            #expect(!run.output.contains("not located"), "\(run)")
            if schedule == "turns" {
                #expect(run.status == 0 && run.output.contains("50 instructions"), "\(run)")
            } else {
                #expect(run.status == 1, "\(run)")
                #expect(run.errors.contains("the VMM debugs vCPU 0 itself"), "\(run)")
            }
        }
        #expect(held.status == 0 && held.output.contains("920048 instructions"), "\(held)")
    }

    /// Whether the process has its vCPUs.
    private static func runs(_ process: Int32) -> Bool {
        let folder = "/proc/\(process)/fd"
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.contains { file in
            let target = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "\(folder)/\(file)")
            return target == "anon_inode:kvm-vcpu:1"
        }
    }
}
