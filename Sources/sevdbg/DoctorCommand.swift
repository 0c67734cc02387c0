import ArgumentParser
import VCPUControl

/// `sevdbg doctor`: says what this host can do, and what mends the rest.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what this host can do, and what is missing.",
        discussion: """
            Looks at KVM, the SEV firmware, tracing and permissions, and names the command that \
            mends what is missing. With --selftest, every built-in guest is run on every machine \
            that is to be had, and has to do the same on all: the one command to run on an EPYC.
            """)

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @Flag(help: "Run the built-in guests on every machine, and compare.")
    var selftest = false

    func run() throws {
        var output = StandardOutput(isUnbuffered: true)
        let report = Doctor().examine()
        output.write((json ? report.json.text + "\n" : report.text).utf8)
        guard selftest else { return output.flush() }
        if !json { output.write("\n".utf8) }
        let isGood = SelfTest(report).run { row in
            output.write((json ? row.json.text : row.text).utf8)
            output.write("\n".utf8)
        }
        if !json { output.write((isGood ? "all is well\n" : "there are failures\n").utf8) }
        output.flush()
        if !isGood { throw ProgramStatus.commandFailed.exitCode }
    }
}
