import Foundation
import SystemPackage
import Testing

@testable import VCPUControl

@Suite("sevdbg doctor")
struct DoctorTests {
    static let hosts: [(name: String, host: FakeHost)] = [
        ("laptop", .laptop), ("no-group", .noGroup), ("intel", .intel), ("container", .container),
        ("epyc", .epyc), ("epyc-off", .epycOff),
    ]

    /// The texts lie beside this file; SEVDBG_UPDATE_SCREENS=1 writes them.
    @Test("what a host can do, what it lacks, and what mends it", arguments: hosts.map(\.name))
    func report(name: String) throws {
        let host = try #require(Self.hosts.first { $0.name == name }?.host)
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Hosts/\(name).txt")
        let text = host.report.text
        if ProcessInfo.processInfo.environment["SEVDBG_UPDATE_SCREENS"] == "1" {
            try Data(text.utf8).write(to: file)
        }
        #expect(text == (try String(contentsOf: file, encoding: .utf8)))
    }

    @Test("whatever is missing has a command, or the reason why there is none")
    func remedies() {
        for (name, host) in Self.hosts {
            for check in host.report.checks {
                #expect((check.state == .missing) == (check.remedy != nil), "\(name): \(check.id)")
                #expect(!check.need.isEmpty && !check.finding.isEmpty)
            }
        }
    }

    @Test("--machine auto: the hardware where a guest can be launched, else the emulator, and why")
    func selection() {
        #expect(FakeHost.epyc.doctor.select().name == "sev-es")
        for (name, host) in Self.hosts where name != "epyc" {
            #expect(host.doctor.select().name == "emulator", "\(name)")
        }
        #expect(!FakeHost.laptop.doctor.select().isRemarkable)
        // There is an EPYC, but its user may not use it: worth a word.
        var closed = FakeHost.epyc
        closed.failures[SEVDevice.path] = .permissionDenied
        let selection = closed.doctor.select()
        #expect(selection.name == "emulator" && selection.isRemarkable)
        #expect(selection.reason.contains("chmod 660 /dev/sev"))
        closed.failures = [SystemFD.path: .permissionDenied]
        #expect(closed.doctor.select().reason.contains("usermod -aG kvm"))
    }

    @Test(
        "what does not stop a vCPU is said; without single steps the machine kvm is not to be had")
    func stops() {
        var host = FakeHost.laptop
        func stops() -> DoctorCheck? { host.report.checks.first { $0.id == "kvm-stops" } }
        var obstacle: String? { host.report.machines.first { $0.name == "kvm" }?.obstacle }
        host.stopWays = .success(StopWays(failures: [.softwareBreakpoint: "KVM_EXIT_SHUTDOWN"]))
        #expect(stops()?.state == .ok && obstacle == nil)
        #expect(stops()?.finding.hasSuffix("HLT; not INT3: KVM_EXIT_SHUTDOWN") ?? false)
        host.stopWays = .success(StopWays(failures: [.singleStep: "no exit"]))
        #expect(stops()?.state == .missing && obstacle?.contains("no exit") ?? false)
        host.stopWays = .failure(.failed(call: "KVM_RUN", on: "vCPU 0", .ioError))
        #expect(stops()?.finding.contains("EIO") ?? false)
        host.failures[SystemFD.path] = .permissionDenied
        #expect(stops() == nil)
    }

    @Test("the record has every check by its id, and the machines")
    func json() throws {
        let text = FakeHost.epyc.report.json.text
        let record = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(record["schema"] as? String == "sevdbg/1" && record["type"] as? String == "doctor")
        #expect(
            record["machines"] as? [String: Bool] == [
                "emulator": true, "kvm": true, "sev-es": true,
            ])
        #expect(record["auto"] as? String == "sev-es")
        let checks = try #require(record["checks"] as? [[String: Any]])
        let identifiers = checks.compactMap { $0["id"] as? String }
        #expect(identifiers.contains("debug-swap") && identifiers.contains("memlock"))
        #expect(Set(identifiers).count == identifiers.count)
    }
}
