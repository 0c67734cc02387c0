import ArgumentParser
import VCPUControl

/// `sevdbg attach`: debugs the guest of a VMM that runs already.
struct AttachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach",
        abstract: "Debug or watch the guest of a running KVM VMM, which need not know of it.",
        discussion: """
            PID is the process of any VMM that uses /dev/kvm: QEMU, Firecracker, Cloud Hypervisor, \
            crosvm. Its vCPUs are stopped and stepped out of its sight; whenever and however sevdbg \
            ends, the VMM runs on as it was. With --observe nothing is ever stopped: BPF programs on KVM's tracepoints count \
            and time the exits, and read each GHCB as the guest left it; without root, kvm_run is \
            sampled. Commands run when the observation ends, at once without --for.
            """)

    @Argument(help: "The process of the VMM.")
    var process: Int32

    @Flag(help: "Stop nothing, ever.")
    var observe = false

    @Option(help: "Which of the VMs of the process, where it has several: 0, 1, ….")
    var vm: Int?

    @Option(help: "The vCPU that commands are about at first.")
    var vcpu = 0

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("Observe so many seconds.", valueName: "SECONDS"))
    var seconds: Double?

    @OptionGroup var script: ScriptOptions

    @OptionGroup var interface: InterfaceOptions

    func validate() throws {
        guard process > 0 else {
            throw ValidationError("\(process) is no process; give the number of the VMM's")
        }
        if let vm, vm < 0 { throw ValidationError("--vm \(vm) is no number of a VM") }
        if !observe, seconds != nil || script.lint {
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

    private func control() -> ProgramStatus {
        let target = ControlRunner.Target(
            process: process, vm: vm, vcpu: vcpu, breakpoints: script.breakpoints)
        return ControlRunner(target: target, script: script, interface: interface).run()
    }

    private func observation() -> ProgramStatus {
        do throws(InputError) {
            return ObserveRunner.run(
                process, vm: vm, try Script.commands(of: script.sources), isJSON: script.json,
                lints: script.lint, hasColor: interface.hasColor, seconds: seconds)
        } catch {
            StandardError.message(error.message)
            return .noFile
        }
    }
}
