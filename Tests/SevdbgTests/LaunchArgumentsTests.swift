import ArgumentParser
import Testing

@testable import VCPUControl
@testable import sevdbg

@Suite("Launch arguments")
struct LaunchArgumentsTests {
    @Test(
        "sizes are bytes, or K, M and G",
        arguments: [
            ("16M", 16 << 20), ("64k", 64 << 10), ("1G", 1 << 30), ("4096", 4096),
            ("0x100000", 1 << 20), ("0x10M", 16 << 20),
        ] as [(String, UInt64)])
    func sizes(text: String, bytes: UInt64) {
        #expect(MemorySize(argument: text)?.bytes == bytes)
    }

    @Test(
        "what is no size is refused", arguments: ["", "M", "-1", "+1", "0x", "1T", "99999999999G"])
    func noSizes(text: String) {
        #expect(MemorySize(argument: text) == nil)
    }

    @Test("guest arguments are numbers, symbols and the vCPU")
    func guestArguments() {
        #expect(
            GuestArguments(argument: "1,0x10,-1,@vcpu,data")?.values == [
                .value(1), .value(16), .value(.max), .vcpuNumber, .symbol("data"),
            ])
        for text in ["", "1,", "@other", "1x", "-"] {
            #expect(GuestArguments(argument: text) == nil, "\(text)")
        }
    }

    @Test("the flag beats the environment, and that the terminal")
    func color() {
        func isOn(_ choice: ColorChoice, _ environment: [String: String], _ tty: Bool) -> Bool {
            choice.isOn(environment: environment, isTerminal: tty)
        }
        #expect(isOn(.always, ["NO_COLOR": "1"], false))
        #expect(!isOn(.never, ["CLICOLOR_FORCE": "1"], true))
        #expect(isOn(.auto, [:], true))
        #expect(!isOn(.auto, [:], false))
        #expect(!isOn(.auto, ["NO_COLOR": "1"], true))
        #expect(isOn(.auto, ["NO_COLOR": ""], true))
        #expect(isOn(.auto, ["CLICOLOR_FORCE": "1"], false))
        #expect(isOn(.auto, ["CLICOLOR_FORCE": "0"], true))
        #expect(!isOn(.auto, ["TERM": "dumb"], true))
    }

    @Test("the environment beats the configuration's colour")
    func configuredColor() {
        func isOn(_ configured: ColorChoice, _ environment: [String: String]) -> Bool {
            ColorChoice.auto.isOn(
                configured: configured, environment: environment, isTerminal: true)
        }
        #expect(!isOn(.never, [:]))
        #expect(isOn(.always, ["TERM": "dumb"]))
        #expect(!isOn(.always, ["NO_COLOR": "1"]))
        #expect(isOn(.never, ["CLICOLOR_FORCE": "1"]))
    }

    @Test("the end of a guest decides the status")
    func statuses() {
        func status(_ reason: End.Reason, _ termination: Termination? = nil) -> Int32 {
            ProgramStatus(
                End(
                    reason: reason, termination: termination, instructions: 0, vmgexits: 0,
                    findings: 0)
            ).number
        }
        #expect(status(.returned) == 0)
        #expect(status(.halted) == 0)
        #expect(status(.quit) == 0)
        #expect(status(.terminated, .requested(set: 0, code: 0)) == 0)
        #expect(status(.terminated, .requested(set: 0, code: 1)) == 4)
        #expect(status(.terminated, .requested(set: 1, code: 0)) == 4)
        #expect(status(.terminated, .refused("0x010")) == 4)
        #expect(status(.shutdown) == 4)
        #expect(status(.unimplemented) == 1)
        #expect(status(.interrupted) == 130)
    }

    @Test("-e and -x run in the order given")
    func order() throws {
        let command = try LaunchCommand.parse(["hello", "-e", "a", "-x", "f", "-e", "b"])
        #expect(command.script.sources == [.command("a"), .file("f"), .command("b")])
    }
}

@Suite("Batch")
struct BatchRunnerTests {
    /// A machine that runs a command's worth of nothing.
    private final class IdleMachine: Machine {
        let traits = MachineTraits(
            name: "idle", seesProtectedState: false, steps: false, presetsGHCB: false)
        let vcpuCount = 1
        var exit: VCPUExit

        init(_ exit: VCPUExit) { self.exit = exit }

        func run(
            _ scope: RunScope, limit: UInt64
        ) throws(MachineError) -> (vcpu: Int, exit: VCPUExit) { (0, exit) }
        func complete(_ vcpu: Int, with data: [UInt8]) throws(MachineError) {}
        func instructions(of vcpu: Int) -> UInt64 { 0 }
        func registers(of vcpu: Int) -> Reading<RegisterFile> { .hidden(.protected) }
        func setRegister(
            _ register: Register, of vcpu: Int, to value: UInt64
        ) throws(MachineError) {}
        func systemRegisters(of vcpu: Int) -> Reading<SystemRegisters> { .hidden(.protected) }
        func translate(
            _ address: GuestVirtualAddress, on vcpu: Int
        ) -> Reading<Translation?> { .hidden(.protected) }
        func read(
            _ address: GuestPhysicalAddress, count: Int, as view: MemoryView
        ) -> Reading<[UInt8]> { .hidden(.protected) }
        func write(
            _ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView
        ) throws(MachineError) {}
        func isPrivate(_ page: GuestPhysicalAddress) -> Reading<Bool> { .hidden(.unmapped) }
        func takeObservations() -> [Observation] { [] }
        func setBreakpoints(_ addresses: Set<GuestVirtualAddress>) throws(MachineError) {}
    }

    private func status(_ exit: VCPUExit, _ commands: [String]) throws -> ProgramStatus {
        let image = GuestImage(
            name: "idle", entry: .init(0x10_0000),
            segments: [.init(address: .init(0x10_0000), bytes: [0x90], memorySize: 1)])
        let session = try Session(
            SessionConfiguration(image: image, options: LaunchOptions()) { _, _, _ in
                IdleMachine(exit)
            })
        var runner = BatchRunner(session, isJSON: true, hasColor: false)
        return runner.run(commands.map { ScriptCommand(text: $0, origin: "-e") })
    }

    @Test("the end of the guest, or the first command that fails, is the status")
    func statuses() throws {
        #expect(try status(.halt, []) == .ok)
        #expect(try status(.halt, ["info vcpus"]) == .ok)
        #expect(try status(.halt, ["frob", "quit"]) == .commandFailed)
        #expect(try status(.halt, ["quit", "frob"]) == .ok)
        #expect(try status(.shutdown("x"), []) == .guestFailed)
        #expect(try status(.interrupted, []) == .signal(2))
        #expect(try status(.unimplemented([0]), []) == .commandFailed)
        #expect(try status(.unknown(99), []) == .commandFailed)
    }
}
