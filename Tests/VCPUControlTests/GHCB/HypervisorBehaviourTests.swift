import Foundation
import Testing

@testable import VCPUControl

/// What KVM and the specification make of the same requests.
@Suite("KVM beside the specification")
struct HypervisorBehaviourTests {
    /// A request that shows a row of the table: what becomes of it, in words.
    struct Example: Sendable, CustomTestStringConvertible {
        let row: KVMDifference
        var version = 2
        let request: Request
        let kvm: String
        let specification: String

        var testDescription: String { row.id }
    }

    enum Request: Sendable {
        case page(GHCBPage)
        case msr(UInt64)
        /// A page whose vCPU then gets its first SIPI.
        case sipi(GHCBPage)
        /// A page that both behaviours answer alike, and the rules judge differently.
        case judged(GHCBPage)
    }

    static let examples: [Example] = [
        Example(
            row: .rdtsc, request: .page(.correct(.rdtsc)), kvm: "terminated",
            specification: "ok rax=0x5 rdx=0x1"),
        Example(
            row: .rdtscp, request: .page(.correct(.rdtscp)), kvm: "exception rax=0x0 rdx=0x0",
            specification: "ok rax=0x5 rdx=0x1"),
        Example(
            row: .rdpmcFault, request: .page(.correct(.rdpmc, 0, 0, [.rcx: 9])),
            kvm: "exception info1=0x0", specification: "exception info1=0x1"),
        Example(
            row: .dr7, request: .page(.correct(.readDR7)), kvm: "ok rax=0x0",
            specification: "ok rax=0x400"),
        Example(
            row: .unsupportedEvent, request: .page(.correct(.unsupported, 0x73)),
            kvm: "terminated", specification: "ok"),
        Example(
            row: .cpuidXSS,
            request: .page(.correct(.cpuid, 0, 0, [.rax: 0xd, .rcx: 0, .xcr0: 1])), kvm: "ok",
            specification: "malformed info2=0x4"),
        Example(
            row: .cpuidLeafWidth,
            request: .page(.correct(.cpuid, 0, 0, [.rax: 0x1_0000_000d, .rcx: 0])), kvm: "ok",
            specification: "malformed info2=0x4"),
        Example(
            row: .msrOperation,
            request: .page(.correct(.msr, 2, 0, [.rcx: 0x277, .rax: 0, .rdx: 0])),
            kvm: "exception", specification: "malformed info2=0x5"),
        Example(
            row: .transferSize, request: .page(.correct(.ioio, 0x3f8_0201)), kvm: "ok",
            specification: "malformed info2=0x5"),
        Example(
            row: .stringLength,
            request: .page(.correct(.ioio, 0x3f8_0214, 0x8000_0000, [.swScratch: 0x10800])),
            kvm: "terminated", specification: "malformed info2=0x3"),
        Example(
            row: .scratchLimit, version: 1,
            request: .page(.correct(.ioio, 0x3f8_0214, 0x18000, [.swScratch: 0x20000])),
            kvm: "malformed info2=0x3", specification: "ok"),
        Example(
            row: .scratchNoRAM, version: 1,
            request: .page(.correct(.mmioRead, 0xfe00_0000, 8, [.swScratch: 0x9_0000])),
            kvm: "terminated", specification: "malformed info2=0x3"),
        Example(
            row: .returnedRegisters, request: .page(.correct(.wbinvd)),
            kvm: "ok rax=0x0 rbx=0x0", specification: "ok rax=- rbx=-"),
        Example(
            row: .version2Events, version: 1, request: .page(.correct(.hvFeatures)), kvm: "ok",
            specification: "malformed info2=0x6"),
        Example(
            row: .hvFeatures, request: .msr(0x080), kvm: "ok 0x3081", specification: "ok 0x81"),
        Example(
            row: .protocolVersion, request: .judged(.request(.wbinvd)),
            kvm: "note version-unsupported", specification: "warning version-unsupported"),
        Example(
            row: .firstSIPI, request: .sipi(.correct(.apResetHold)), kvm: "ok info2=0x0",
            specification: "ok info2=0x1"),
        Example(
            row: .snpEvents, request: .page(.correct(.apCreation, 2)), kvm: "malformed info2=0x4",
            specification: "malformed info2=0x6"),
        Example(
            row: .snpMSRRequests, request: .msr(0x1_0012), kvm: "terminated",
            specification: "unanswered 0x10012"),
        Example(
            row: .msrCPUIDLeaf, request: .msr(0xd_0000_0004), kvm: "ok 0x300000005",
            specification: "unanswered 0xd00000004"),
    ]

    @Test("each row of the table is what the two behaviours do", arguments: examples)
    func row(example: Example) throws {
        #expect(try Self.words(example, .kvm, example.kvm) == example.kvm)
        #expect(
            try Self.words(example, .specification, example.specification)
                == example.specification)
    }

    @Test("every row has its example")
    func complete() {
        #expect(Self.examples.map(\.row) == KVMDifference.allCases)
    }

    @Test("docs/hypervisor.md has the table as it is")
    func documentation() throws {
        let root = (0..<4).reduce(URL(filePath: #filePath)) { url, _ in
            url.deletingLastPathComponent()
        }
        let text = try String(
            contentsOf: root.appending(path: "docs/hypervisor.md"), encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }
        let expected = KVMDifference.allCases.map {
            "| `\($0.id)` | \($0.specification) | \($0.kvm) |"
        }
        #expect(rows.map(String.init) == expected)
    }

    /// Outcome, and those results that the expectation names.
    private static func words(
        _ example: Example, _ behaviour: HypervisorBehaviour, _ expectation: String
    ) throws -> String {
        let harness = GHCBHarness(version: example.version, behaviour: behaviour)
        switch example.request {
        case .judged(let page):
            let lint = LintHarness(version: example.version, behaviour: behaviour, xss: true)
            return lint.exit(page).map { "\($0.severity) \($0.rule.id)" }.joined(separator: " ")
        case .msr(let value):
            let exchange = try #require(finish(harness.vmgexit(msr: value), harness))
            guard case .msr(let response?) = exchange.content else { return exchange.outcome.name }
            return "\(exchange.outcome.name) \(response.hex)"
        case .sipi(let page):
            _ = harness.vmgexit(page)
            return results(try #require(harness.sipi()?.resumed), expectation)
        case .page(let page):
            let exchange = try #require(finish(harness.vmgexit(page), harness))
            return results(exchange, expectation)
        }
    }

    private static func results(_ exchange: Exchange, _ expectation: String) -> String {
        let fields: [String: GHCBField] = [
            "rax": .rax, "rbx": .rbx, "rdx": .rdx, "info1": .swExitInfo1,
            "info2": .swExitInfo2,
        ]
        let named = expectation.split(separator: " ").compactMap {
            $0.split(separator: "=").first.map(String.init)
        }
        return named.compactMap { name in
            guard let field = fields[name] else { return exchange.outcome.name }
            return "\(name)=\(exchange.responsePage?.value(field)?.hex ?? "-")"
        }.joined(separator: " ")
    }

    private static func finish(
        _ first: HypervisorModel.Step, _ harness: GHCBHarness
    ) -> Exchange? {
        var step = first
        for _ in 0..<64 where step.resumed == nil && step.ended == nil {
            step = harness.complete(Array(repeating: 0x5a, count: 8))
        }
        return step.resumed ?? step.ended
    }

    @Test("areas of any length, in both versions: no trap, and an answer", arguments: [1, 2])
    func lengths(version: Int) {
        let lengths: [UInt64] = [1 << 31, 1 << 32, 1 << 62, 1 << 63, .max - 0x20000, .max]
        for code in [ExitCode.mmioRead, .mmioWrite, .ioio] {
            for length in lengths {
                let harness = GHCBHarness(version: version, behaviour: .specification)
                let info1: UInt64 = code == .ioio ? 0x3f8_0244 : 0xfe00_0000
                let page = GHCBPage.correct(code, info1, length, [.swScratch: 0x8000])
                let isTooLong = code != .ioio && version == 2
                #expect(
                    harness.exchange(page)?.outcome == .malformed(reason: isTooLong ? 5 : 3),
                    "\(code) \(length)")
            }
        }
    }

    @Test("a reason is given for what only the specification refuses")
    func reasons() {
        func reason(_ page: GHCBPage) -> String? {
            GHCBHarness(behaviour: .specification).exchange(page)?.reason
        }
        #expect(
            reason(.correct(.cpuid, 0, 0, [.rax: 0x1_0000_000d, .rcx: 0]))
                == "missing input: XCR0 is not valid in the bitmap")
        #expect(
            reason(.correct(.cpuid, 0, 0, [.rax: 0xd, .rcx: 0, .xcr0: 1]))
                == "missing input: XSS is not valid in the bitmap")
        #expect(
            reason(.correct(.msr, 2, 0, [.rcx: 0x1a0, .rax: 0, .rdx: 0]))
                == "invalid input: SW_EXITINFO1 is 0x2, neither 0 (read) nor 1 (write)")
        #expect(
            reason(.correct(.ioio, 0x03f8_0230, 0, [.rax: 0]))
                == "invalid input: SW_EXITINFO1 is 0x3f80230, operand size (bits 6:4) 3 is not 1,"
                + " 2 or 4")
    }

    @Test("ordinary requests are answered alike, but for registers that nobody asked for")
    func ordinary() throws {
        var generator = SeededGenerator(state: 3)
        for _ in 0..<2_000 {
            let page = LintPropertyTests.correct(&generator, version: 2)
            let code = ExitCode(page.raw(.swExitCode))
            guard ![.readDR7, .hvFeatures].contains(code) else { continue }
            let (kvm, specification) = (
                GHCBHarness(), GHCBHarness(behaviour: .specification)
            )
            let ours = try #require(Self.finish(kvm.vmgexit(page), kvm))
            let theirs = try #require(Self.finish(specification.vmgexit(page), specification))
            #expect(ours.outcome == theirs.outcome)
            let results = ours.outcome == .ok ? NAEEvent.returnedFields(of: page) : []
            let fields = results + [.swExitInfo1, .swExitInfo2]
            let isAlike = fields.allSatisfy {
                ours.responsePage?.value($0) == theirs.responsePage?.value($0)
            }
            #expect(isAlike, "\(ours.summary), \(theirs.summary)")
        }
    }
}
