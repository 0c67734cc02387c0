import ArgumentParser
import VCPUControl

/// `sevdbg guests`: lists the guests that come with the program.
struct GuestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guests", abstract: "List the built-in guests.")

    func run() {
        var output = StandardOutput(isUnbuffered: false)
        let width = BuiltInGuest.all.map(\.name.count).max() ?? 0
        for guest in BuiltInGuest.all {
            let gap = String(repeating: " ", count: width - guest.name.count + 2)
            output.write("\(guest.name)\(gap)\(guest.summary)\n".utf8)
        }
        output.flush()
    }
}
