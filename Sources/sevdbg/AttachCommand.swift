import ArgumentParser
import Glibc
import VCPUControl

/// `sevdbg attach`: debugs the guest of a VMM that runs already.
struct AttachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach",
        abstract: "Watch the guests of a running KVM VMM, which need not know of it.",
        discussion: """
            PID is the process of any VMM that uses /dev/kvm: QEMU, Firecracker, Cloud Hypervisor, \
            crosvm. With --observe nothing is ever stopped: BPF programs on KVM's tracepoints count \
            and time the exits, and read each GHCB as the guest left it; without root, kvm_run is \
            sampled. Commands run when the observation ends, at once without --for.
            """)

    @Argument(help: "The process of the VMM.")
    var process: Int32

    @Flag(help: "Stop nothing, ever.")
    var observe = false

    @Option(help: "The vCPU that commands are about at first.")
    var vcpu = 0

    @Option(
        name: .customLong("break"),
        help: ArgumentHelp(
            "Set a breakpoint, as the command break does; repeatable.", valueName: "WHERE"))
    var breakpoints: [String] = []

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("Observe so many seconds.", valueName: "SECONDS"))
    var seconds: Double?

    @Flag(help: "Run without the terminal interface.")
    var batch = false

    @Option(
        name: .customShort("x"), help: ArgumentHelp("Run commands from a file.", valueName: "FILE"),
        transform: { OrderedSource(.file($0)) })
    var scripts: [OrderedSource] = []

    @Option(
        name: .customShort("e"),
        help: ArgumentHelp("Run a command; repeatable.", valueName: "COMMAND"),
        transform: { OrderedSource(.command($0)) })
    var commands: [OrderedSource] = []

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @Flag(help: "Exit with status 3 if the lint rules find errors.")
    var lint = false

    @OptionGroup var interface: InterfaceOptions

    func validate() throws {
        guard process > 0 else {
            throw ValidationError("\(process) is no process; give the number of the VMM's")
        }
        if !observe, seconds != nil || lint {
            throw ValidationError("--for and --lint are for --observe")
        }
        if let seconds, !(seconds > 0 && seconds <= 1e9) {
            throw ValidationError("--for \(seconds) is no time to observe; use seconds above 0")
        }
    }

    func run() throws {
        let status = observe ? observation() : control()
        guard status == .ok else { throw status.exitCode }
    }

    private var sources: [ScriptSource] {
        (scripts + commands).sorted { $0.place < $1.place }.map(\.source)
    }

    private func control() -> ProgramStatus {
        ControlRunner(
            process: process, vcpu: vcpu, breakpoints: breakpoints, sources: sources,
            isBatch: batch, isJSON: json, interface: interface
        ).run()
    }

    private func observation() -> ProgramStatus {
        do throws(InputError) {
            return ObserveRunner.run(
                process, try Script.commands(of: sources), isJSON: json, lints: lint,
                hasColor: interface.hasColor, seconds: seconds)
        } catch {
            StandardError.message(error.message)
            return .noFile
        }
    }
}

/// `sevdbg attach-tracer`: the process that `attach` holds a VMM with; nothing for users.
struct TracerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach-tracer", abstract: "Hold a VMM for `sevdbg attach`.",
        shouldDisplay: false)

    func run() { Tracer.serve(channel: STDIN_FILENO) }
}
