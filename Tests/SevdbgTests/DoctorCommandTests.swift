import Foundation
import Testing

@Suite("sevdbg doctor, the program")
struct DoctorCommandTests {
    private static let hasFirmware = FileManager.default.fileExists(atPath: "/dev/sev")

    private static func records(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    @Test("whatever the host lacks, the report is there with status 0, as text and as one record")
    func report() throws {
        let text = try ProgramRun(["doctor"])
        #expect(text.status == 0 && text.errors.isEmpty)
        #expect(text.output.contains("--machine emulator  to be had"))
        #expect(text.output.contains("--machine auto picks "))
        let json = try ProgramRun(["doctor", "--json"])
        let records = try Self.records(json.output)
        #expect(json.status == 0 && records.count == 1)
        #expect(records[0]["type"] as? String == "doctor")
        #expect((records[0]["machines"] as? [String: Bool])?["emulator"] == true)
        #expect(try ProgramRun(["doctor", "--nosuch"]).status == 64)
    }

    @Test("--selftest: a record for each rule on each machine; those that are skipped say why")
    func selftest() throws {
        let run = try ProgramRun(["doctor", "--selftest", "--json"])
        let rows = try Self.records(run.output).dropFirst()
        #expect(run.status == 0)
        #expect(rows.allSatisfy { $0["outcome"] as? String != "failed" }, "\(run.output)")
        for machine in ["emulator", "emulator --visibility hardware", "kvm", "sev-es"] {
            let own = rows.filter { $0["machine"] as? String == machine }
            #expect(own.count == rows.count / 4)
            for row in own where row["outcome"] as? String == "skipped" {
                #expect((row["reason"] as? String)?.isEmpty == false)
            }
        }
        let passed = rows.filter { $0["outcome"] as? String == "passed" }
        #expect(passed.contains { $0["machine"] as? String == "emulator" })
    }

    @Test(
        "--machine sev-es where there is none: status 5, and what is missing",
        .enabled(if: !hasFirmware))
    func missing() throws {
        let run = try ProgramRun(["launch", "hello", "--machine", "sev-es"])
        #expect(run.status == 5 && run.output.isEmpty)
        #expect(run.errors.hasPrefix("sevdbg: "))
        #expect(run.errors.contains("/dev/kvm") || run.errors.contains("sev_es=1"))
        let other = try ProgramRun([
            "launch", "hello", "--machine", "sev-es", "--hypervisor", "spec",
        ])
        #expect(other.status == 64 && other.errors.contains("is for the emulator"))
    }

    @Test("--visibility hardware goes through the launch of SEV-ES, and shows its measurement")
    func hardware() throws {
        let run = try ProgramRun(["launch", "hello", "--visibility", "hardware", "--json"])
        let launch = try #require(try Self.records(run.output).first)
        let facts = try #require(launch["facts"] as? [String: String])
        #expect(run.status == 0)
        #expect(facts["launched by"]?.hasPrefix("KVM_SEV_INIT2") == true)
        #expect(facts["policy"] == "0x4 (ES)" && facts["measured"]?.count == 96)
        let text = try ProgramRun([
            "launch", "hello", "--visibility", "hardware", "-e", "info setup",
        ])
        #expect(text.output.contains("\nmeasured    " + (facts["measured"] ?? "")))
    }

    @Test("the machine that --machine auto picked, and why, is in info setup")
    func choice() throws {
        let run = try ProgramRun(["launch", "hello", "-e", "info setup"])
        #expect(run.output.contains("\nchosen      --machine auto picks "))
        let told = try ProgramRun(["launch", "hello", "--machine", "emulator", "-e", "info setup"])
        #expect(!told.output.contains("\nchosen "))
    }
}
