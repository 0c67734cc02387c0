import ArgumentParser
import Glibc
import VCPUControl

/// The program: `sevdbg`.
@main
struct SEVDebug: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sevdbg",
        abstract: "An interactive debugger for SEV-ES vCPUs.",
        discussion: """
            Runs a guest under the GHCB protocol, on a software SEV-ES machine that is always \
            there, and shows what the guest put into the GHCB and what the hypervisor made of it.

            Exit status: 0 ok, 1 a command failed, 3 --lint found errors, 4 the guest ended abnormally, 5 machine or \
            permission not to be had, 64 usage, 66 file missing or unreadable, 128+n signal n.
            """,
        version: "sevdbg 0.1.0",
        subcommands: [
            LaunchCommand.self, AttachCommand.self, DecodeCommand.self, GuestsCommand.self,
            DoctorCommand.self,
        ])

    static func main() {
        // `attach` waits for it: nothing for users, and nothing for the parser.
        if CommandLine.arguments.dropFirst() == ["attach-tracer"] {
            return Tracer.serve(channel: STDIN_FILENO)
        }
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            leave(error)
        }
    }

    /// Says what the parser has to say, where that may come from a file name too, and exits.
    private static func leave(_ error: any Error) -> Never {
        let (text, status) = (fullMessage(for: error), exitCode(for: error))
        if status.isSuccess {
            print(text)
        } else if !text.isEmpty {
            text.split(separator: "\n", omittingEmptySubsequences: false)
                .forEach { StandardError.line(String($0)) }
        }
        exit(status)
    }

    private static func exit(_ status: ArgumentParser.ExitCode) -> Never {
        Glibc.exit(status.rawValue)
    }
}
