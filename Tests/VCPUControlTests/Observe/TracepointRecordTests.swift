import CBPF
import Testing

@testable import VCPUControl

@Suite("Records of tracepoints")
struct TracepointRecordTests {
    private static let ghcb: UInt64 = 0x7000

    private static func cpuid() -> GHCBPage {
        var page = GHCBPage()
        page.set(.swExitCode, to: ExitCode.cpuid.rawValue)
        page.set(.swExitInfo1, to: 0)
        page.set(.swExitInfo2, to: 0)
        page.set(.rax, to: 0x8000_001f)
        page.set(.rcx, to: 0)
        page.setRaw(.protocolVersion, to: 2)
        return page
    }

    /// What the page holds when `kvm_vmgexit_exit` fires: the registers are not in it yet.
    private static func taken(info1: UInt64 = 0, info2: UInt64 = 0) -> GHCBPage {
        var page = cpuid()
        page.clearValidBitmap()
        page.respond(info1: info1, info2: info2)
        return page
    }

    private func joined(_ records: [[UInt8]]) throws -> (exchanges: [Exchange], unjoined: Int) {
        var joiner = ExchangeJoiner(ghcbVersion: 2, cBit: 51)
        var exchanges: [Exchange] = []
        for bytes in records {
            exchanges += joiner.take(try #require(TracepointRecord.decode(bytes)))
        }
        exchanges += joiner.finish()
        return (exchanges, joiner.unjoined)
    }

    @Test("records have the size that the programs write")
    func sizes() {
        #expect(TracepointRecord.longest == MemoryLayout<observe_page>.size)
        #expect(VCPUActivity.recordSize == MemoryLayout<observe_counters>.size)
        #expect(RecordBytes.side(18, msr: 0).count == MemoryLayout<observe_exchange>.size)
    }

    @Test("a request and its response are one exchange, with the registers that KVM adds")
    func page() throws {
        let request = Self.cpuid()
        let (exchanges, unjoined) = try joined([
            RecordBytes.side(16, vcpu: 3, msr: Self.ghcb, page: request),
            RecordBytes.side(
                17, vcpu: 3, msr: Self.ghcb, registers: [1, 2, 3, 4], page: Self.taken()),
        ])
        let exchange = try #require(exchanges.first)
        #expect(exchanges.count == 1 && unjoined == 0)
        #expect(exchange.vcpu == 3 && exchange.msr == Self.ghcb && exchange.name == "CPUID")
        #expect(exchange.outcome == .ok)
        #expect(exchange.rip == .hidden(.protected))
        #expect(exchange.requestPage == request)
        let response = try #require(exchange.responsePage)
        #expect([.rax, .rbx, .rcx, .rdx].map { response.value($0) } == [1, 2, 3, 4])
        #expect(response.validFields.contains(.swExitInfo1))
    }

    @Test("what a tracepoint showed says so")
    func provenance() throws {
        let (exchanges, _) = try joined([
            RecordBytes.side(16, msr: Self.ghcb, page: Self.cpuid()),
            RecordBytes.side(
                17, msr: Self.ghcb, registers: [0, 0, 0, 0], page: Self.taken()),
            RecordBytes.side(18, msr: 0x2), RecordBytes.side(19, msr: 0x0002_0001_3300_0001),
        ])
        let known = try #require(exchanges.first?.requestFields.first { $0.field == .rax })
        #expect(known.reading == .known(0x8000_001f, from: .tracepoint))
        let lines = exchanges.map { exchange in
            JSONRenderer.value(for: ObserveEvent.vmgexit(sequence: 1, exchange)).text
        }
        #expect(lines.count == 2)
        for line in lines {
            #expect(line.contains(#""from":"tracepoint""#))
            #expect(!line.contains(#""from":"direct""#))
        }
    }

    @Test(
        "SW_EXITINFO1 of the response is the outcome",
        arguments: [
            (UInt64(0), UInt64(7), Exchange.Outcome.ok),
            (1, 0x8000_030d, .exception(eventInjection: 0x8000_030d)),
            (2, 4, .malformed(reason: 4)),
        ])
    func outcome(info1: UInt64, info2: UInt64, outcome: Exchange.Outcome) throws {
        let answer = Self.taken(info1: info1, info2: info2)
        let (exchanges, _) = try joined([
            RecordBytes.side(16, msr: Self.ghcb, page: Self.cpuid()),
            RecordBytes.side(17, msr: Self.ghcb, registers: [0, 0, 0, 0], page: answer),
        ])
        #expect(exchanges.map(\.outcome) == [outcome])
    }

    @Test("in the MSR protocol the MSR is the answer, and one that stays is none")
    func msrProtocol() throws {
        let (exchanges, unjoined) = try joined([
            RecordBytes.side(18, msr: 0x2), RecordBytes.side(19, msr: 0x0002_0001_3300_0001),
            RecordBytes.side(18, msr: 0xabc), RecordBytes.side(19, msr: 0xabc),
        ])
        #expect(unjoined == 0)
        #expect(exchanges.map(\.outcome) == [.ok, .unanswered])
        #expect(exchanges.map(\.content).first == .msr(response: 0x0002_0001_3300_0001))
    }

    @Test("a request for termination is an exchange at once")
    func termination() throws {
        var page = Self.cpuid()
        page.set(.swExitCode, to: ExitCode.termination.rawValue)
        page.set(.swExitInfo1, to: 0x21)
        var joiner = ExchangeJoiner(ghcbVersion: 2, cBit: 51)
        for (bytes, code) in [
            (RecordBytes.side(16, msr: Self.ghcb, page: page), UInt8(2)),
            (RecordBytes.side(18, msr: 0x3_1100), 3),
        ] {
            let record = try #require(TracepointRecord.decode(bytes))
            let exchanges = joiner.take(record)
            #expect(exchanges.map(\.outcome) == [.terminated(.requested(set: 1, code: code))])
            #expect(exchanges.map(\.responseSource) == [.tracepoint])
        }
        #expect(joiner.finish().isEmpty)
    }

    @Test("a request that KVM ends the VM for shows when nothing more comes")
    func refused() throws {
        let (exchanges, unjoined) = try joined([RecordBytes.side(18, msr: 0x12)])
        guard case .terminated(.refused) = exchanges.first?.outcome else {
            Issue.record("0x012 ends an SEV-ES VM: \(exchanges)")
            return
        }
        #expect(unjoined == 0)
    }

    @Test("sides that do not fit are counted, never guessed")
    func unjoined() throws {
        let request = RecordBytes.side(16, msr: Self.ghcb, page: Self.cpuid())
        let answer = RecordBytes.side(
            17, msr: Self.ghcb, registers: [0, 0, 0, 0], page: Self.taken())
        let bare = RecordBytes.side(17, msr: Self.ghcb, page: Self.taken())
        let cases: [(records: [[UInt8]], exchanges: Int, unjoined: Int)] = [
            ([answer], 0, 1),
            ([request, request, answer], 1, 1),
            ([request, bare], 0, 1),
            ([RecordBytes.side(18, msr: 2), answer], 0, 1),
            ([request], 0, 1),
            ([RecordBytes.side(16, thread: 7, msr: Self.ghcb, page: Self.cpuid()), answer], 0, 2),
        ]
        for (number, (records, exchanges, unjoined)) in cases.enumerated() {
            let result = try joined(records)
            #expect(result.exchanges.count == exchanges, "case \(number)")
            #expect(result.unjoined == unjoined, "case \(number)")
        }
    }

    @Test("two vCPUs' exchanges interleave")
    func interleaved() throws {
        let (exchanges, unjoined) = try joined([
            RecordBytes.side(18, vcpu: 0, thread: 1, msr: 0x2),
            RecordBytes.side(18, vcpu: 1, thread: 2, msr: 0x80),
            RecordBytes.side(19, vcpu: 0, thread: 1, msr: 0x1),
            RecordBytes.side(19, vcpu: 1, thread: 2, msr: 0x81),
        ])
        #expect(exchanges.map(\.vcpu) == [0, 1] && unjoined == 0)
    }

    @Test("bytes that no program writes are no record")
    func hostile() {
        let page = RecordBytes.side(16, msr: Self.ghcb, page: Self.cpuid())
        for count in 0..<page.count where count % 97 == 0 || count > page.count - 3 {
            #expect(TracepointRecord.decode(Array(page.prefix(count))) == nil)
        }
        #expect(TracepointRecord.decode(RecordBytes.side(99, msr: 0)) == nil)
        #expect(TracepointRecord.decode(RecordBytes.side(0, msr: 0, page: GHCBPage())) == nil)
        #expect(TracepointRecord.decode([]) == nil)
    }

    @Test("every page of a hostile guest makes an exchange that can be shown")
    func hostilePages() throws {
        var random = SystemRandomNumberGenerator()
        var renderer = ObserveRenderer(hasColor: false)
        for _ in 0..<200 {
            let bytes = (0..<GHCBPage.size).map { _ in UInt8.random(in: 0...255, using: &random) }
            let page = try #require(GHCBPage(bytes))
            let (exchanges, _) = try joined([
                RecordBytes.side(16, msr: Self.ghcb, page: page),
                RecordBytes.side(17, msr: Self.ghcb, registers: [0, 1, 2, 3], page: page),
            ])
            let exchange = try #require(exchanges.first)
            let text = renderer.text(for: .vmgexit(sequence: 1, exchange))
            #expect(text.utf8.dropLast().allSatisfy { $0 >= 0x20 && $0 < 0x7f })
        }
    }

    private static func access(_ kind: UInt32, _ words: [UInt64]) -> TracepointRecord? {
        var record = RecordBytes(kind, 77)
        for word in words { record.add(word) }
        return TracepointRecord.decode(record.bytes)
    }

    @Test("a port or MSR access names its thread, and what was reached for")
    func access() {
        let port = PortAccess(port: 0x3f8, size: 1, count: 4, data: [], isInput: false)
        #expect(
            Self.access(32, [1, 0x3f8, 1, 4, 0]) == .access(thread: 77, .port(port)))
        #expect(
            Self.access(33, [0, 0xc000_0080, 0, 0, 0x500])
                == .access(thread: 77, .readMSR(0xc000_0080)))
        #expect(
            Self.access(33, [1, 0x10, 0, 0, .max]) == .access(thread: 77, .writeMSR(0x10, .max)))
        #expect(Self.access(33, [1, 0x10, 0, 0]) == nil)
        let hostile = Self.access(32, [.max, .max, .max, .max, .max])
        #expect(hostile?.thread == 77)
    }
}
