import Foundation
import Glibc
import Testing
import VCPUControl

/// Attaching to a VMM that knows nothing of sevdbg and notices everything.
///
/// SEVDBG_ATTACH_CYCLES and SEVDBG_ATTACH_KILLS say how often; `make attach` sets them high.
@Suite(
    "Attach", .enabled(if: StrictVMM.obstacle == nil, "needs /dev/kvm and a C compiler"),
    .serialized)
struct AttachTests {
    static let program = Bundle.main.bundleURL.appending(path: "sevdbg").path()

    static func count(_ name: String, _ standard: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? standard
    }

    static func attach(_ vmm: StrictVMM, _ commands: String...) throws -> ProgramRun {
        try ProgramRun(["attach", "\(vmm.number)"] + commands.flatMap { ["-e", $0] })
    }

    /// Ends the VMM, which must have gone on and seen nothing.
    static func expectUndisturbed(_ vmm: StrictVMM) throws {
        let before = try vmm.report()
        for _ in 0..<200 where try vmm.report().rounds == before.rounds { usleep(10_000) }
        let (report, status) = try vmm.end()
        #expect(report.rounds[0] > before.rounds[0] || report.rounds[1] > before.rounds[1])
        #expect(report.irregular == 0)
        #expect(report.unasked == 0)
        #expect(status == 0)
    }

    @Test("attach, step, detach, again and again: the VMM sees nothing")
    func cycles() throws {
        let vmm = try StrictVMM()
        for _ in 0..<Self.count("SEVDBG_ATTACH_CYCLES", 20) {
            let machine = try ForeignMachine(process: vmm.number, program: Self.program)
            for vcpu in 0..<2 {
                let rip = try #require(machine.registers(of: vcpu).value)[.rip]
                var exit = VCPUExit.limit
                repeat {
                    exit = try machine.run(.one(vcpu), limit: 1 - machine.instructions(of: vcpu))
                        .exit
                } while machine.instructions(of: vcpu) == 0
                #expect(exit == .limit)
                #expect(try #require(machine.registers(of: vcpu).value)[.rip] != rip)
            }
            machine.leave()
        }
        try Self.expectUndisturbed(vmm)
    }

    @Test("breakpoints, steps over exits, memory and registers, in batch")
    func session() throws {
        let vmm = try StrictVMM()
        let run = try Self.attach(
            vmm, "break *0x1003b", "continue", "vcpu", "info registers rdx", "stepi", "stepi",
            "x/1xg $rsp", "print $cr3", "print $msr_c0000080", "info memory", "detach")
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(lines.first == "[attached to strict-vmm (process \(vmm.number)): 2 vCPUs]")
        #expect(lines.contains { $0.hasSuffix(": breakpoint 1") })
        #expect(lines.contains { $0.hasPrefix("=> 0x1003b:") })
        #expect(lines.contains { $0.hasPrefix("rdx            0x100 ") })
        #expect(lines.contains { $0.contains(": OUT port 0x100, 4 bytes: ") })
        #expect(lines.contains { $0.hasPrefix("=> 0x1003e:") })
        #expect(lines.contains("$1 = 0x1000"))
        #expect(lines.contains("$2 = 0x500"))
        #expect(lines.contains { $0.contains("-0x0001fffff") })
        #expect(lines.last == "[guest left running: 2 instructions, 0 VMGEXITs]")
        try Self.expectUndisturbed(vmm)
    }

    @Test("what is set is there, in a register and in memory, and the guest runs on with it")
    func setting() throws {
        let vmm = try StrictVMM()
        // At the breakpoint RAX is dead: the next instruction loads it.
        let run = try Self.attach(
            vmm, "break *0x1003b", "continue", "set $rax = 0x1234", "print $rax",
            "set {u64} 0x9000 = 0xabcdef", "x/1xg 0x9000", "set $cr2 = 0x5000", "print $cr2",
            "stepi", "next")
        #expect(run.status == 0)
        #expect(run.output.contains("$1 = 4660") || run.output.contains("$1 = 0x1234"))
        #expect(run.output.contains("0x0000000000abcdef"))
        #expect(run.output.contains("$2 = 0x5000"))
        try Self.expectUndisturbed(vmm)
    }

    @Test("a breakpoint right behind an exit stops there, each time")
    func behindExit() throws {
        let vmm = try StrictVMM()
        let run = try Self.attach(vmm, "break *0x1003e", "continue", "continue", "continue")
        #expect(run.status == 0)
        #expect(run.output.split(separator: "\n").count { $0.contains(": breakpoint 1") } == 3)
        #expect(run.output.split(separator: "\n").count { $0.hasPrefix("=> 0x1003e:") } == 3)
        try Self.expectUndisturbed(vmm)
    }

    @Test("more breakpoints than the processor has are compared step by step")
    func manyBreakpoints() throws {
        let vmm = try StrictVMM()
        let places = [0x10_005, 0x10_042, 0x10_047, 0x10_049, 0x1_004b].map { "break *\($0)" }
        let commands = (places + ["continue", "continue"]).flatMap { ["-e", $0] }
        let run = try ProgramRun(["attach", "\(vmm.number)"] + commands)
        #expect(run.status == 0)
        #expect(run.output.split(separator: "\n").count { $0.contains(": breakpoint ") } == 2)
        try Self.expectUndisturbed(vmm)
    }

    @Test("a watchpoint stops behind the instruction that changes memory, each time")
    func watchpoint() throws {
        let vmm = try StrictVMM()
        // At the breakpoint RSP is the address of a word that the fold counts with, at 0x1002a.
        let run = try Self.attach(
            vmm, "break *0x10005", "continue", "delete", "print/u {u64} $rsp", "watch $rsp",
            "continue", "print/u {u64} $rsp", "continue", "print/u {u64} $rsp", "info breakpoints")
        #expect(run.status == 0, "\(run)")
        let stops = run.output.split(separator: "\n").filter { $0.hasPrefix("=> 0x1002e") }
        #expect(stops.count == 2, "\(run)")
        #expect(run.output.contains("watchpoint 2, u64 at "), "\(run)")
        let values = run.output.split(separator: "\n").filter { $0.hasPrefix("$") }
            .compactMap { $0.split(separator: " ").last.flatMap { UInt64($0) } }
        #expect(values.count == 3)
        if let first = values.first { #expect(values == [first, first + 1, first + 2]) }
        try Self.expectUndisturbed(vmm)
    }

    @Test("a round of steps leaves no instruction out, over exits, PUSHF, POPF and IRETQ")
    func exactSteps() throws {
        let vmm = try StrictVMM()
        // A round of the guest has 156 instructions; one by one, and many at once.
        let single = [String](repeating: "stepi", count: 156)
        let commands = ["break *0x10000", "continue", "delete"] + single + ["stepi 1560"]
        let run = try ProgramRun(
            ["attach", "\(vmm.number)"] + commands.flatMap { ["-e", $0] })
        #expect(run.status == 0)
        let stops = run.output.split(separator: "\n").filter { $0.hasPrefix("=> ") }
        #expect(stops.count == 158)
        #expect(stops.filter { $0.hasPrefix("=> 0x10000:") }.count == 3)
        #expect(stops.last?.hasPrefix("=> 0x10000:") == true)
        try Self.expectUndisturbed(vmm)
    }

    @Test("JSON: the head, the exits and the end")
    func json() throws {
        let vmm = try StrictVMM()
        // The first breakpoint may be met before any port; the second is a whole round later.
        let commands = ["break *0x10042", "continue", "continue"].flatMap { ["-e", $0] }
        let run = try ProgramRun(["attach", "\(vmm.number)", "--json"] + commands)
        #expect(run.status == 0)
        let lines = run.output.split(separator: "\n")
        #expect(lines.first?.contains(#""type":"attach","machine":"attached","process":"#) == true)
        #expect(
            lines.contains { $0.contains(#""type":"exit""#) && $0.contains(#""port":"0x100""#) })
        #expect(lines.last?.contains(#""type":"end","reason":"detached""#) == true)
        try Self.expectUndisturbed(vmm)
    }

    @Test("signals for the VMM arrive, each once, while its vCPUs are stepped")
    func signals() throws {
        let vmm = try StrictVMM(["--tick", "5"])
        for _ in 0..<3 {
            #expect(try Self.attach(vmm, "stepi 3000", "vcpu 1", "stepi 3000").status == 0)
        }
        let (report, status) = try vmm.end()
        #expect(report.ticks > 0)
        #expect(report.irregular == 0)
        #expect(report.unasked == 0)
        // The last of both is the call to end, which a thread may not live to see.
        #expect((2 * report.ticks...2 * report.ticks + 2).contains(report.signals))
        #expect(status == 0)
    }

    @Test("a VMM that debugs its guest itself has its own exits")
    func ownDebugging() throws {
        let vmm = try StrictVMM(["--debug"])
        for round in 0..<5 {
            #expect(try Self.attach(vmm, "info registers", "print $cr3").status == 0)
            // In the middle of `continue`.
            let debugger = try Victim(vmm, 1, isAttached: round > 0)
            kill(debugger.number, SIGKILL)
            debugger.wait()
            try vmm.waitUntilFree()
        }
        try Self.expectUndisturbed(vmm)
    }

    @Test("kill -9 of the debugger: the VMM runs on", arguments: [[], ["--tick", "5"]])
    func killDebugger(arguments: [String]) throws {
        let vmm = try StrictVMM(arguments)
        for round in 0..<Self.count("SEVDBG_ATTACH_KILLS", 6) {
            let debugger = try Victim(vmm, round)
            kill(debugger.number, SIGKILL)
            debugger.wait()
            try vmm.waitUntilFree()
        }
        let (report, status) = try vmm.end()
        #expect(report.irregular == 0)
        #expect(report.unasked == 0)
        #expect(status == 0)
    }

    /// A vCPU thread that has just stopped at the VMM's own KVM_RUN when its tracer dies gets the one EINTR
    /// that the kernel makes of the wake-up (`ThreadStops`); nothing else may happen.
    @Test("kill -9 of the tracer: the VMM runs on", arguments: [[], ["--tick", "5"]])
    func killTracer(arguments: [String]) throws {
        let vmm = try StrictVMM(arguments)
        let kills = Self.count("SEVDBG_ATTACH_KILLS", 6)
        for round in 0..<kills {
            let debugger = try Victim(vmm, round)
            kill(debugger.tracer, SIGKILL)
            debugger.wait()
            try vmm.waitUntilFree()
        }
        // A new one finds its way through what the killed ones have left.
        #expect(try Self.attach(vmm, "stepi 100").status == 0)
        let (report, status) = try vmm.end()
        #expect(report.irregular == 0)
        #expect(report.unasked <= 2 * kills)
        #expect(status == 0)
        print("kill -9 of \(kills) tracers: \(report.unasked) EINTR")
    }

    @Test("the VMM ends while it is attached to: said in words")
    func vmmEnds() throws {
        let vmm = try StrictVMM()
        let debugger = try Victim(vmm, 1, isAttached: true)
        vmm.killed()
        debugger.wait()
        #expect(debugger.errors.contains("process \(vmm.number), has ended, by signal 9"))
    }

    @Test("Ctrl-C ends the wait for a VMM whose threads do something else than to run their vCPUs")
    func busy() throws {
        let vmm = try StrictVMM(["--busy"])
        let debugger = try Victim(vmm, 0)
        // It heeds Ctrl-C by then.
        try vmm.wait(untilTraced: true)
        kill(debugger.number, SIGINT)
        debugger.wait()
        #expect(debugger.errors.contains("interrupted while a thread of process \(vmm.number)"))
        try vmm.waitUntilFree()
        #expect(try vmm.end().report.irregular == 0)
    }

    @Test("a VMM that does nothing is not waited for for long, and is left as it was")
    func stopped() throws {
        let vmm = try StrictVMM()
        kill(vmm.number, SIGSTOP)
        let run = try Self.attach(vmm, "stepi")
        #expect(run.status == 5)
        #expect(run.errors.contains("none has done anything for 2 s"))
        try vmm.waitUntilFree()
        kill(vmm.number, SIGCONT)
        #expect(try Self.attach(vmm, "stepi 100").status == 0)
        // The stop itself has ended calls, and that of sevdbg none.
        #expect(try vmm.end().report.irregular == 0)
    }

    @Test("who may not trace is told why")
    func refused() throws {
        let vmm = try StrictVMM()
        #expect(try ProgramRun(["attach", "\(getppid())", "-e", "c"]).errors.contains("no KVM VM"))
        let debugger = try Victim(vmm, 0, isAttached: true)
        let second = try Self.attach(vmm, "stepi")
        #expect(second.status == 5)
        #expect(second.errors.contains("traced by process \(debugger.tracer)"))
        kill(debugger.number, SIGKILL)
        debugger.wait()
        try vmm.waitUntilFree()
        try Self.expectUndisturbed(vmm)
    }

    static let emulator = GuestCorpus.tool("qemu-system-x86_64")

    @Test(
        "QEMU with KVM: no exit of its guest is lost or repeated",
        .enabled(if: emulator != nil, "needs qemu-system-x86_64"))
    func qemu() throws {
        let folder = try StrictVMM.makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let (object, rom) = (folder.appending(path: "rom.o"), folder.appending(path: "rom.bin"))
        let source = StrictVMM.sources.appending(path: "rom.S").path()
        let assembled = try GuestCorpus.run(
            GuestCorpus.tool("cc") ?? "cc", ["-c", "-o", object.path(), source])
        #expect(assembled.status == 0)
        let link = ["-Ttext=0", "--oformat", "binary", "-e", "0", "-o", rom.path(), object.path()]
        #expect(try GuestCorpus.run(GuestCorpus.tool("ld") ?? "ld", link).status == 0)
        let output = folder.appending(path: "out")
        let process = Process()
        process.executableURL = URL(filePath: Self.emulator ?? "")
        process.arguments =
            [
                "-accel", "kvm", "-cpu", "qemu64", "-smp", "2", "-m", "64", "-display", "none",
                "-nodefaults",
            ]
            + ["-no-reboot", "-bios", rom.path(), "-debugcon", "file:\(output.path())"]
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
        func given() -> [UInt8] { (try? Data(contentsOf: output)).map(Array.init) ?? [] }
        func waitForMore(than count: Int) -> Int {
            for _ in 0..<500 where given().count <= count { usleep(10_000) }
            return given().count
        }
        var count = waitForMore(than: 1000)
        for _ in 0..<3 {
            let run = try ProgramRun(
                ["attach", "\(process.processIdentifier)", "-e", "stepi 500", "-e", "break"]
                    + ["-e", "continue", "-e", "print $cr3", "-e", "x/1xg 0x8000"])
            #expect(run.status == 0)
            // The second waits to be started.
            #expect(run.output.contains("2 vCPUs]"))
            #expect(run.output.contains("$1 = 0x1000"))
            #expect(run.output.contains(": OUT port 0xe9, 1 bytes: "))
            #expect(run.output.contains("0x8000:\t0x"))
            let after = waitForMore(than: count)
            #expect(after > count)
            count = after
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let bytes = given()
        #expect(bytes.indices.allSatisfy { bytes[$0] == UInt8(truncatingIfNeeded: $0) })
    }

    /// Why KVM's memory slots cannot be had here.
    static let bpfObstacle: String? = {
        do throws(ObserveError) {
            _ = try VMInspector(of: getpid())
            return nil
        } catch { return error.message }
    }()

    @Test(
        "guest memory is where KVM's memory slots are",
        .enabled(if: bpfObstacle == nil, Comment(rawValue: bpfObstacle ?? "")))
    func memorySlots() throws {
        let vmm = try StrictVMM()
        let slot = try #require(VMInspector(of: vmm.number).vms().first?.slots.value?.first)
        let run = try Self.attach(vmm, "info memory", "x/4xb 0x10000")
        let lines = run.output.split(separator: "\n")
        #expect(lines.dropFirst().first == "Guest memory by: KVM's memory slots, as they are now")
        #expect(
            lines.contains {
                $0.hasSuffix("  at 0x\(String(slot.hostAddress, radix: 16)) of the VMM")
            })
        #expect(run.output.contains("0xb9\t0x08\t0x00\t0x00"))
        try Self.expectUndisturbed(vmm)
    }

    @Test(
        "of several VMs one is chosen, and the others run on",
        .enabled(if: bpfObstacle == nil, Comment(rawValue: bpfObstacle ?? "")))
    func severalVMs() throws {
        let vmm = try StrictVMM(["--two-vms"])
        for arguments in [[], ["--vm", "2"], ["--observe"]] {
            let run = try ProgramRun(["attach", "\(vmm.number)", "-e", "vcpu"] + arguments)
            #expect(run.status == 5)
            #expect(run.errors.contains("say which with --vm N: 0 (descriptor "))
            #expect(run.errors.contains(", 1 vCPU, 2048 KiB of memory); 1 (descriptor "))
        }
        var places: Set<Substring> = []
        for number in 0..<2 {
            let run = try ProgramRun(
                ["attach", "\(vmm.number)", "--vm", "\(number)", "-e", "stepi 300"]
                    + ["-e", "info memory"])
            #expect(run.status == 0)
            #expect(
                run.output.hasPrefix("[attached to strict-vmm (process \(vmm.number)): 1 vCPU]"))
            let place = run.output.split(separator: "\n").first { $0.hasPrefix("0x0000") }
            places.insert(try #require(place))
        }
        #expect(places.count == 2)
        let observed = try ProgramRun(
            ["attach", "\(vmm.number)", "--observe", "--vm", "1", "--json", "-e", "info exits"])
        #expect(observed.status == 0)
        #expect(observed.output.split(separator: "\n").count { $0.contains(#""vcpu":1"#) } == 0)
        try Self.expectUndisturbed(vmm)
    }

    @Test(
        "an exit that KVM's tracepoints show stops the vCPU behind it, each time, and is not lost",
        .enabled(if: bpfObstacle == nil, Comment(rawValue: bpfObstacle ?? "")),
        arguments: [
            ("port=0x100", "OUT port 0x100, 4 bytes", "0x1003e"),
            ("port=0x100", "IN port 0x100, 4 bytes", "0x1003f"),
            ("msr=0xc0000080", "RDMSR 0xc0000080", "0x10055"),
        ])
    func exits(filter: String, text: String, rip: String) throws {
        let vmm = try StrictVMM()
        let run = try Self.attach(
            vmm, "break vmgexit \(filter)", "continue", "continue", "continue", "continue",
            "vmgexit \(filter) 50", "stepi", "delete", "info breakpoints", "stepi 20")
        #expect(run.status == 0 && run.errors.isEmpty)
        let lines = run.output.split(separator: "\n").map(String.init)
        let stops = lines.indices.filter { lines[$0].hasSuffix(": breakpoint 1, \(text)") }
        #expect(!stops.isEmpty)
        for stop in stops { #expect(lines[stop + 1].hasPrefix("=> \(rip):")) }
        #expect(lines.count { $0.contains(": breakpoint 1, ") } >= 4)
        try Self.expectUndisturbed(vmm)
    }

    @Test(
        "what a plain VM does not do is not waited for",
        .enabled(if: bpfObstacle == nil, Comment(rawValue: bpfObstacle ?? "")))
    func noVMGEXIT() throws {
        let vmm = try StrictVMM()
        let run = try Self.attach(vmm, "break vmgexit CPUID")
        #expect(run.status == 1 && run.errors.contains("this VM is not SEV-ES"))
        try Self.expectUndisturbed(vmm)
    }

    @Test("a VMM under seccomp is left alone, and what is needed is said")
    func seccomp() throws {
        let vmm = try StrictVMM(["--seccomp"])
        let run = try Self.attach(vmm, "stepi")
        #expect(run.status == 5)
        #expect(run.errors.contains("seccomp filter"))
        try Self.expectUndisturbed(vmm)
    }
}

/// A debugger in the middle of something, to be killed.
final class Victim {
    let number: Int32
    let tracer: Int32
    private let process = Process()
    private let output = Pipe()
    private let messages = Pipe()
    private(set) var errors = ""

    static let scripts =
        [
            ["stepi 100000000"], ["continue"], ["break *0x1003b", "continue 100000000"],
            ["info registers", "x/20i $rip", "nexti 100000000"],
        ] + (AttachTests.bpfObstacle == nil ? [["vmgexit IOIO,MSR 100000000"]] : [])

    /// Starts it, and lets it get some way; with `isAttached` it has attached for sure.
    init(_ vmm: StrictVMM, _ round: Int, isAttached: Bool = false) throws {
        process.executableURL = URL(filePath: AttachTests.program)
        let script = Self.scripts[round % Self.scripts.count]
        process.arguments = ["attach", "\(vmm.number)", "--json"] + script.flatMap { ["-e", $0] }
        process.standardOutput = output
        process.standardError = messages
        try process.run()
        number = process.processIdentifier
        tracer = try Self.child(of: number)
        // JSON lines are written at once, the head first.
        if isAttached { _ = output.fileHandleForReading.availableData }
        output.fileHandleForReading.readabilityHandler = { _ = $0.availableData }
        usleep(UInt32.random(in: 0...60_000))
    }

    private static func child(of process: Int32) throws -> Int32 {
        for _ in 0..<5000 {
            let path = "/proc/\(process)/task/\(process)/children"
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            if let child = text.split(separator: " ").first.flatMap({ Int32($0) }) { return child }
            usleep(1000)
        }
        throw StrictVMM.Failure(text: "no tracer")
    }

    deinit { if process.isRunning { kill(number, SIGKILL) } }

    /// Waits until it has ended: by a signal, or because its tracer did.
    func wait() {
        errors = String(
            decoding: messages.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        output.fileHandleForReading.readabilityHandler = nil
    }
}
