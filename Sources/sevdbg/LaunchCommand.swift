import ArgumentParser
import Glibc
import VCPUControl

/// `sevdbg launch`: runs a guest under the debugger.
struct LaunchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "launch",
        abstract: "Run a guest under the debugger.",
        discussion: """
            GUEST is the name of a built-in guest (see `sevdbg guests`), an ELF64 file, or a flat \
            binary that is loaded at 0x100000. Without a terminal, or with --batch, --json, -e or \
            -x, commands run as a script; without commands the guest runs to its end.
            """)

    @Argument(help: "A built-in guest, an ELF64 file or a flat binary.")
    var guest: String?

    @Option(help: "The machine that runs the guest.")
    var machine = MachineChoice.auto

    @Option(
        help: ArgumentHelp(
            "How each vCPU gets its GHCB. (default: trampoline)",
            discussion: "A built-in guest that needs another setup, more vCPUs or more memory has"
                + " them for its defaults."))
    var ghcb: GHCBSetup?

    @Option(help: "The highest GHCB protocol version that the VM offers, 1 or 2.")
    var ghcbVersion = 2

    @Option(help: "Answer VMGEXITs as this KVM does, or as the GHCB specification says.")
    var hypervisor = HypervisorBehaviour.kvm

    @Option(help: "The number of vCPUs. (default: 1)")
    var vcpus: Int?

    @Option(
        help: ArgumentHelp(
            "Let vCPUs take turns, or run at the same time on a thread each. (default: threads on"
                + " sev-es, else turns)"))
    var schedule: VCPUSchedule?

    @Option(help: "The guest's RAM in bytes, or with K, M or G. (default: 16M)")
    var memory: MemorySize?

    @Option(help: "What the host may see: all, or what SEV-ES hardware shows.")
    var visibility = Visibility.full

    @Option(
        help: ArgumentHelp(
            "What rdi, rsi, rdx, rcx, r8 and r9 hold: numbers, symbols, @vcpu.",
            valueName: "A,B,…"))
    var args: GuestArguments?

    @OptionGroup var script: ScriptOptions

    @Flag(help: "Let the lint rules go by the GHCB specification alone.")
    var strict = false

    @Option(help: "The seed of the guest's random numbers.")
    var seed: UInt64 = 0

    @OptionGroup var interface: InterfaceOptions

    func validate() throws {
        guard guest != nil else {
            throw ValidationError(
                "no guest is given; `sevdbg guests` lists the built-in ones, or name an ELF64 file"
                    + " or a flat binary")
        }
        guard (1...2).contains(ghcbVersion) else {
            throw ValidationError("--ghcb-version \(ghcbVersion) does not exist; use 1 or 2")
        }
        if let vcpus, vcpus < 1 {
            throw ValidationError("--vcpus \(vcpus) leaves nothing to run; use 1 or more")
        }
        let count = args?.values.count ?? 0
        guard machine != .kvm || visibility == .full else {
            throw ValidationError(
                "--visibility hardware is for the emulator: KVM hides nothing of a plain vCPU")
        }
        guard machine != .sevES || hypervisor == .kvm else {
            throw ValidationError(
                "--hypervisor \(hypervisor.rawValue) is for the emulator: on hardware KVM itself answers"
            )
        }
        guard count <= Register.arguments.count else {
            throw ValidationError(
                "--args has \(count) values; registers take at most \(Register.arguments.count)")
        }
    }

    func run() throws {
        let status = runSession()
        guard status == .ok else { throw status.exitCode }
    }
}

// From arguments to a session.
extension LaunchCommand {
    private func runSession() -> ProgramStatus {
        do throws(InputError) {
            return runSession(try Script.commands(of: script.sources))
        } catch {
            StandardError.message(error.message)
            return .noFile
        }
    }

    private func runSession(_ commands: [ScriptCommand]) -> ProgramStatus {
        let configuration: SessionConfiguration
        do throws(SessionError) {
            configuration = try makeConfiguration()
        } catch {
            StandardError.message(error.message)
            return ProgramStatus(error)
        }
        if script.wantsTerminal, let status = Interactive.run(configuration, interface.terminal()) {
            return status
        }
        return runBatch(configuration, commands)
    }

    private func makeConfiguration() throws(SessionError) -> SessionConfiguration {
        let image: GuestImage
        do throws(GuestError) {
            image = try GuestImage.load(guest ?? "")
        } catch { throw .guest(error) }
        let selected = SelectedMachine(
            machine, needsEmulator: needsEmulator, visibility: visibility, seed: seed,
            schedule: schedule)
        var options = options(for: image)
        do throws(MachineError) {
            try selected.kind.prepare(&options)
        } catch { throw .machine(error) }
        var configuration = SessionConfiguration(
            image: image, options: options, isStrict: strict, breakpoints: script.breakpoints,
            interruptFlag: Interruption.flag, makeMachine: selected.maker)
        configuration.machineChoice = selected.reason
        if let remark = selected.remark { StandardError.message(remark) }
        return configuration
    }

    /// Whether what the user chose has a meaning on the emulator only.
    private var needsEmulator: Bool {
        visibility == .hardware || ghcb == .host || hypervisor != .kvm
    }

    /// What the user chose, and the guest's defaults for the rest.
    func options(for image: GuestImage) -> LaunchOptions {
        var options = LaunchOptions(image.defaults, ghcbVersion: ghcbVersion)
        options.hypervisor = hypervisor
        options.setup = ghcb ?? options.setup
        options.vcpus = vcpus ?? options.vcpus
        options.memory = memory?.bytes ?? options.memory
        options.arguments = args?.values ?? options.arguments
        return options
    }

    private func runBatch(
        _ configuration: SessionConfiguration, _ commands: [ScriptCommand]
    ) -> ProgramStatus {
        Interruption.catchSignals()
        do throws(SessionError) {
            var runner = BatchRunner(
                try Session(configuration), isJSON: script.json,
                hasColor: !script.json && interface.hasColor, lints: script.lint)
            return runner.run(commands)
        } catch {
            StandardError.message(error.message)
            return ProgramStatus(error)
        }
    }
}

/// The environment of the process.
enum Environment {
    /// The variables among these that are set.
    static func values(_ names: [String]) -> [String: String] {
        var values: [String: String] = [:]
        for name in names {
            // getenv's text stays where it is: nothing here changes the environment.
            if let text = unsafe getenv(name) { values[name] = unsafe String(cString: text) }
        }
        return values
    }
}
