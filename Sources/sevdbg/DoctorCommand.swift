import ArgumentParser
import VCPUControl

/// `sevdbg doctor`: says what this host can do, and what mends the rest.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what this host can do, and what is missing.",
        discussion: """
            Looks at KVM, the SEV firmware, tracing and permissions, and names the command that \
            mends what is missing. With --selftest, the rules that all machines keep are looked at \
            on every machine that is to be had, and what is left out is listed with the reason: the \
            one command to run on an EPYC.
            """)

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @Flag(help: "Examine every machine, and compare it with the emulator.")
    var selftest = false

    func run() throws {
        var output = StandardOutput(isUnbuffered: true)
        let report = Doctor().examine()
        output.write((json ? report.json.text + "\n" : report.text).utf8)
        let isGood = !selftest || examine(report, &output)
        output.flush()
        if !isGood { throw ProgramStatus.commandFailed.exitCode }
    }

    /// Examines the machines of a host.
    ///
    /// - Returns: whether all is as it should be.
    private func examine(_ report: DoctorReport, _ output: inout StandardOutput) -> Bool {
        let conformance = Conformance(ConformanceMachine.all(report))
        if !json { output.write(("\n" + conformance.heading).utf8) }
        let summary = conformance.run { row in
            let lines = conformance.json(row).map { $0.text + "\n" }.joined()
            output.write((json ? lines : conformance.text(row)).utf8)
        }
        if !json { output.write(summary.text.utf8) }
        return summary.isGood
    }
}
