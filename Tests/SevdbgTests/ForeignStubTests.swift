import Foundation
import Testing

/// Guests that know nothing of sevdbg, on a machine that hides all, through the debug stub.
@Suite("Foreign guests through the stub", .enabled(if: GuestCorpus.tool("gcc") != nil, "needs gcc"))
struct ForeignStubTests {
    private static let programs = GuestCorpus.singles + ["strings", "atomics", "floating"]

    /// Runs commands and keeps the answers of `info registers`, without where they are from.
    private static func registers(
        _ guest: URL, _ visibility: String, _ commands: [String]
    ) throws -> [[String: String]] {
        let sevdbg = Bundle.main.bundleURL.appending(path: "sevdbg").path()
        let run = try GuestCorpus.run(
            sevdbg,
            ["launch", guest.path(), "--json", "--visibility", visibility]
                + commands.flatMap { ["-e", $0] })
        return try run.text.split(separator: "\n").compactMap { line in
            let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return record?["registers"] as? [String: String]
        }
    }

    @Test("they print the same, and stop at the same places with the same registers")
    func guests() throws {
        let folder = try GuestCorpus.build(Self.programs.map { "gcc-O2/\($0).elf" })
        defer { try? FileManager.default.removeItem(at: folder) }
        let commands =
            ["break guest_code", "continue"]
            + (1...20).flatMap { ["si \($0)", "info registers"] }
        for program in Self.programs {
            let guest = folder.appending(path: "gcc-O2/\(program).elf")
            let several = program == "smp" ? ["--vcpus", "4", "--args", "@vcpu,4"] : []
            #expect(
                try GuestCorpus.launch(guest, several + ["--visibility", "hardware"])
                    == GuestCorpus.launch(guest, several), "\(program)")
            let stepped = try Self.registers(guest, "hardware", commands)
            #expect(stepped.count > 2, "\(program)")
            // A step over #VC is one through the stub, and leads into the handler without it.
            let direct = try Self.registers(guest, "full", commands)
            let same = zip(stepped, direct).prefix { $0["rip"] == $1["rip"] }
            #expect(same.count > 2 && same.allSatisfy { $0 == $1 }, "\(program)")
        }
    }
}
