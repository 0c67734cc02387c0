import ArgumentParser
import VCPUControl

/// `sevdbg guests`: lists the guests that come with the program.
struct GuestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guests", abstract: "List the built-in guests.")

    func run() {
        var output = StandardOutput(isUnbuffered: false)
        let width = (BuiltInGuest.all + BuiltInGuest.bugs).map(\.name.count).max() ?? 0
        func line(_ guest: BuiltInGuest) -> String {
            let gap = String(repeating: " ", count: width - guest.name.count + 2)
            return "\(guest.name)\(gap)\(guest.summary)\n"
        }
        BuiltInGuest.all.forEach { output.write(line($0).utf8) }
        output.write("\nUpstream bugs, each found by one lint rule (docs/bugs.md):\n".utf8)
        BuiltInGuest.bugs.forEach { output.write(line($0).utf8) }
        output.flush()
    }
}
