import Foundation
import Testing

/// Guests that know nothing of sevdbg, as gcc, clang and nasm make them.
@Suite("Foreign guests", .enabled(if: GuestCorpus.tool("make") != nil, "needs make"))
struct ForeignGuestTests {
    @Test(
        "what gcc compiles prints what the CPU makes it print",
        .enabled(if: GuestCorpus.tool("gcc") != nil, "needs gcc"),
        arguments: GuestCorpus.configurations(of: "gcc"))
    func gcc(_ configuration: GuestCorpus.Configuration) throws {
        try Self.check(configuration)
    }

    @Test(
        "what clang compiles prints what the CPU makes it print",
        .enabled(if: GuestCorpus.tool("clang") != nil, "needs clang"),
        arguments: GuestCorpus.configurations(of: "clang"))
    func clang(_ configuration: GuestCorpus.Configuration) throws {
        try Self.check(configuration)
    }

    @Test(
        "what gcc compiles prints the same on KVM",
        .enabled(if: GuestCorpus.tool("gcc") != nil, "needs gcc"),
        .enabled(if: GuestCorpus.hasKVM, "needs /dev/kvm"), .timeLimit(.minutes(10)),
        arguments: GuestCorpus.configurations(of: "gcc").prefix(1))
    func kvm(_ configuration: GuestCorpus.Configuration) throws {
        let left = GuestCorpus.wantsAll ? [] : GuestCorpus.long
        if !left.isEmpty {
            print(
                "on KVM without \(left.sorted().joined(separator: ", ")): too many steps;"
                    + " SEVDBG_GUESTS=all has them")
        }
        try Self.check(configuration, machine: "kvm", without: left)
    }

    @Test(
        "what nasm assembles runs, flat and linked",
        .enabled(if: GuestCorpus.tool("nasm") != nil, "needs nasm"),
        arguments: ["flat.bin", "linked.elf"])
    func nasm(_ file: String) throws {
        let folder = try GuestCorpus.build(["nasm/\(file)"])
        defer { try? FileManager.default.removeItem(at: folder) }
        let guest = try GuestCorpus.launch(folder.appending(path: "nasm/\(file)"))
        #expect(try guest == GuestCorpus.expected(String(file.prefix { $0 != "." })))
    }

    /// Runs every program of a configuration: beside its native twin, or against its known text.
    private static func check(
        _ configuration: GuestCorpus.Configuration, machine: String = "emulator",
        without left: Set<String> = []
    ) throws {
        let twins = GuestCorpus.twins.flatMap { ["\($0).elf", "\($0).native"] }
        let files = twins + GuestCorpus.singles.map { "\($0).elf" }
        let folder = try GuestCorpus.build(files.map { "\(configuration.name)/\($0)" })
        defer { try? FileManager.default.removeItem(at: folder) }
        for program in GuestCorpus.twins + GuestCorpus.singles where !left.contains(program) {
            let built = folder.appending(path: "\(configuration.name)/\(program)").path()
            let isTwin = GuestCorpus.twins.contains(program)
            let expected =
                try isTwin
                ? GuestCorpus.run(built + ".native") : GuestCorpus.expected(program)
            let several = program == "smp" ? ["--vcpus", "4", "--args", "@vcpu,4"] : []
            let guest = try GuestCorpus.launch(
                URL(filePath: built + ".elf"), ["--ghcb", configuration.setup] + several,
                machine: machine)
            #expect(expected.status == 0 && !expected.text.isEmpty, "the answer for \(program)")
            #expect(guest == expected, "\(program) built by \(configuration.name)")
        }
    }
}
