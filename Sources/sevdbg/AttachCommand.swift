import ArgumentParser

/// `sevdbg attach`: debugs a VMM that runs already.
struct AttachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach",
        abstract: "Watch the VMs of a running VMM.",
        discussion: """
            PID is a process that has KVM VMs open: QEMU, Firecracker, Cloud Hypervisor, crosvm or a \
            KVM selftest, as it is. With --observe nothing is ever stopped: BPF programs on KVM's \
            tracepoints count and time the exits, and read each GHCB as the guest left it. Without \
            root, kvm_run is sampled.
            """)

    @Argument(help: "The process ID of the VMM.")
    var process: Int32

    @Flag(help: "Stop nothing, ever.")
    var observe = false

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("End after so many seconds.", valueName: "SECONDS"))
    var seconds: Double?

    @OptionGroup var output: ObserveOutput

    func validate() throws {
        guard observe else {
            throw ValidationError("this version only observes: use attach \(process) --observe")
        }
        if let seconds, !(seconds > 0 && seconds <= 1e9) {
            throw ValidationError("--for \(seconds) is no time to observe; use seconds above 0")
        }
    }

    func run() throws {
        let status = ObserveRunner.run(process, output, seconds: seconds)
        guard status == .ok else { throw status.exitCode }
    }
}
