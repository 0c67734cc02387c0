import Foundation
import Testing
import VCPUControl

/// `sevdbg launch` as its users run it.
@Suite("sevdbg launch")
struct LaunchTests {
    typealias Record = [String: Any]

    static func records(_ arguments: [String]) throws -> [Record] {
        let run = try ProgramRun(["launch"] + arguments + ["--json"])
        try #require(run.status == 0, "\(run.errors)")
        return try run.output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Record)
        }
    }

    @Test("every setup gives the same console and the same VMGEXITs")
    func setups() throws {
        for guest in ["hello", "cpuid", "msr", "ioio", "mmio", "hv-features", "nested-vc"] {
            let seen = try GHCBSetup.allCases.map { setup in
                try Self.records([guest, "--ghcb", setup.rawValue])
                    .filter { ["console", "vmgexit"].contains($0["type"] as? String) }
                    .map { record in
                        ["text", "seq", "rip", "protocol", "code", "name", "info1", "info2"]
                            .map { "\(record[$0] ?? "")" }.joined(separator: " ")
                    }
            }
            #expect(!seen[0].isEmpty)
            #expect(seen[0] == seen[1], "\(guest)")
            #expect(seen[0] == seen[2], "\(guest)")
        }
    }

    @Test("--hypervisor and --strict choose who answers and who judges")
    func hypervisor() throws {
        func features(_ options: String...) throws -> String? {
            try Self.records(["hv-features"] + options)
                .first { $0["name"] as? String == "HV_FT_REQ" }
                .flatMap { ($0["response"] as? Record)?["msr"] as? Record }?["value"] as? String
        }
        #expect(try features() == "0x3081")
        #expect(try features("--hypervisor", "spec") == "0x81")
        let setup = try ProgramRun([
            "launch", "hello", "--hypervisor", "spec", "-e", "restart", "-e", "info setup",
        ])
        #expect(setup.output.contains("answers as the GHCB specification"))
        let strict = try ProgramRun(["launch", "hello", "--strict", "-e", "info setup"])
        #expect(strict.output.contains("answers as KVM of Linux 6.12\nlint rules  by the GHCB"))
        #expect(try ProgramRun(["launch", "hello", "--hypervisor", "xen"]).status == 64)
    }

    @Test("compare: two setups side by side, as text and as a record; the guest stands as it stood")
    func compare() throws {
        let run = try ProgramRun(["launch", "hello", "-e", "compare", "-e", "continue"])
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(lines.contains("instructions to the entry   12                        22"))
        #expect(lines.contains("VMGEXITs: identical, 1"))
        #expect(lines.filter { $0 == "hello from an SEV-ES guest" }.count == 1)
        #expect(lines.last == "[guest returned: 75 instructions, 1 VMGEXIT]")
        let results = try Self.records(["cpuid", "-e", "compare pool host"])
            .filter { $0["type"] as? String == "result" }
        #expect(results.count == 1)
        #expect(results[0]["identical"] as? Bool == true)
        #expect(
            (results[0]["setups"] as? [Record])?.map { $0["setup"] as? String } == ["pool", "host"])
        #expect(try ProgramRun(["launch", "hello", "-e", "compare swim"]).status == 1)
    }

    @Test("the records have every member that the schema names")
    func members() throws {
        let records = try Self.records(["hello"])
        let launch = try #require(records.first)
        #expect(
            Set(launch.keys) == [
                "schema", "type", "machine", "ghcb", "ghcbVersion", "vcpus", "guest", "entry",
                "protectedState",
            ])
        let exchange = try #require(records.first { $0["type"] as? String == "vmgexit" })
        #expect(
            Set(exchange.keys) == [
                "schema", "type", "seq", "vcpu", "rip", "protocol", "code", "name", "info1",
                "info2", "ghcb", "request", "response", "outcome", "reason",
            ])
        let end = try #require(records.last)
        #expect(end["type"] as? String == "end")
        #expect(end["reason"] as? String == "returned")
    }

    @Test(
        "the same launch gives the same bytes",
        arguments: [["smp", "--vcpus", "8"], ["cpuid"], ["ioio", "--ghcb", "pool"]])
    func deterministic(arguments: [String]) throws {
        let command = ["launch"] + arguments + ["--json"]
        let first = try ProgramRun(command)
        #expect(first.status == 0)
        #expect(try ProgramRun(command).output == first.output)
    }

    @Test("--schedule threads: each vCPU asks for the same as in turns; the emulator has none")
    func threads() throws {
        func requests(_ options: String...) throws -> [Int: [String]] {
            let records = try Self.records(["smp", "--vcpus", "4"] + options)
            let exchanges = records.filter { $0["type"] as? String == "vmgexit" }
            return Dictionary(grouping: exchanges) { $0["vcpu"] as? Int ?? -1 }
                .mapValues { $0.map { "\($0["name"] ?? "") \($0["info1"] ?? "")" } }
        }
        let expected = try requests()
        #expect(expected.count == 4)
        #expect(
            try requests("--visibility", "hardware", "--schedule", "threads") == expected)
        if GuestCorpus.hasKVM {
            #expect(try requests("--machine", "kvm", "--schedule", "threads") == expected)
        }
        let refused = try ProgramRun(["launch", "smp", "--schedule", "threads"])
        #expect(refused.status == 5 && refused.errors.contains("take turns"))
    }

    @Test("what SEV-ES hides is null, never a number")
    func hidden() throws {
        let records = try Self.records(["hello", "--visibility", "hardware"])
        #expect(records.first?["protectedState"] as? Bool == true)
        let exchange = try #require(records.first { $0["type"] as? String == "vmgexit" })
        #expect(exchange["rip"] is NSNull)
        #expect(exchange["info2"] as? String == "0x1b")
        #expect(records.last?["reason"] as? String == "returned")
    }

    @Test("on hardware a guest outside the debug stub gets breakpoints, and loses them")
    func outside() throws {
        let run = try ProgramRun(
            ["launch", "nested-vc", "--visibility", "hardware"]
                + [
                    "break vmgexit IOIO", "continue", "info registers rip", "break sevdbg_returned",
                    "continue", "print $rip == sevdbg_returned", "delete", "continue",
                ].flatMap { ["-e", $0] })
        let text = run.output + run.errors
        for part in ["<not in the stub>", "breakpoint 2\n", "$1 = 1\n", "[guest returned"] {
            #expect(text.contains(part), "\(part): \(text)")
        }
        #expect(run.status == 0)
    }

    @Test(
        "no correct guest breaks a lint rule, whoever judges",
        arguments: GHCBSetup.allCases, [[], ["--strict"], ["--ghcb-version", "1", "--strict"]])
    func lint(setup: GHCBSetup, options: [String]) throws {
        for guest in BuiltInGuest.all where guest.name != "spin" {
            let run = try ProgramRun(
                ["launch", guest.name, "--ghcb", setup.rawValue, "--vcpus", "2", "--lint"] + options
                    + ["-e", "continue", "-e", "info findings"])
            #expect(run.status == 0, "\(guest.name): \(run.output)")
            #expect(run.output.contains("No findings."), "\(guest.name): \(run.output)")
        }
    }

    @Test("--lint: an error is status 3, and the finding names its cause")
    func lintFails() throws {
        // mov $0xc0010130,%ecx; xor %edx,%edx; mov $0x10,%eax; wrmsr; rep vmmcall
        let bytes: [UInt8] = [
            0xb9, 0x30, 0x01, 0x01, 0xc0, 0x31, 0xd2, 0xb8, 0x10, 0, 0, 0, 0x0f, 0x30, 0xf3, 0x0f,
            0x01, 0xd9,
        ]
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).bin")
        try Data(bytes).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let linted = try ProgramRun(["launch", file.path(), "--batch", "--lint"])
        #expect(linted.status == 3)
        #expect(linted.output.contains("error msr-request-kills-es at 0x10000e, #1: "))
        #expect(try ProgramRun(["launch", file.path(), "--batch"]).status == 4)
    }
}
