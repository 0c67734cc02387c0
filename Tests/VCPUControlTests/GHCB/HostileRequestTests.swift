import Testing
import VCPUControl

@Suite("Hostile requests")
struct HostileRequestTests {
    /// Values that lie on edges more often than chance would have it.
    private static func value(_ generator: inout SeededGenerator) -> UInt64 {
        let number = generator.next()
        let edges: [UInt64] = [
            0, 1, 2, 8, 0xd, 0x10800, 0x10fef, 0x1ffff, 0x20000, 0x7fff_ffff, 0x8000_0000, .max,
        ]
        switch number % 4 {
        case 0: return edges[Int(number >> 8 % UInt64(edges.count))]
        case 1: return number >> (number >> 8 & 63)
        case 2: return 0x10000 + number >> 8 % 0x2000
        default: return number
        }
    }

    private static func page(_ generator: inout SeededGenerator) -> GHCBPage {
        var page = GHCBPage()
        let code = ExitCode.table[Int(generator.next() % UInt64(ExitCode.table.count))].code
        let event = NAEEvent.table[Int(generator.next() % UInt64(NAEEvent.table.count))].code
        let mask = generator.next() | generator.next()
        for (index, field) in GHCBField.allCases.enumerated() where field != .ghcbUsage {
            let value = value(&generator)
            if mask >> UInt64(index) & 1 != 0 { page.set(field, to: value) }
        }
        switch generator.next() % 16 {
        case 0: break
        case 1: page.set(.swExitCode, to: code.rawValue)
        case 2: page.set(.ghcbUsage, to: generator.next())
        default:
            NAEEvent.alwaysRequired.forEach { page.set($0, to: value(&generator)) }
            page.set(.swExitCode, to: event.rawValue)
        }
        return page
    }

    @Test("100 000 random pages and MSR values, each answered to its end", arguments: [1, 2])
    func randomPages(version: Int) {
        var generator = SeededGenerator(state: UInt64(version))
        let harness = GHCBHarness(version: version)
        var outcomes: [String: Int] = [:]
        for round in 0..<50_000 {
            var step = harness.vmgexit(Self.page(&generator), vcpu: Int(round % 5))
            if round % 16 == 0 { step = harness.vmgexit(msr: Self.value(&generator)) }
            for _ in 0..<4 where step.resumed == nil && step.ended == nil {
                let answer = [UInt8](repeating: 0x5a, count: Int(generator.next() % 9))
                step = harness.complete(answer, vcpu: round % 16 == 0 ? 0 : round % 5)
            }
            guard let exchange = step.resumed ?? step.ended else { continue }
            outcomes[exchange.outcome.name, default: 0] += 1
            Self.check(exchange, isOver: step.ended != nil)
        }
        #expect(Set(outcomes.keys) == ["ok", "exception", "malformed", "terminated", "unanswered"])
    }

    /// What holds for every exchange.
    private static func check(_ exchange: Exchange, isOver: Bool) {
        let summary = exchange.summary
        let isClean = summary.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
        let valid: [GHCBField] = [.rax, .rcx, .rdx, .rbx, .swExitInfo1, .swExitInfo2]
        let isWiped = exchange.responsePage.map { $0.validFields == valid } ?? true
        let hasReason = (exchange.reason == nil) == (exchange.outcome == .ok)
        var isEnd = false
        if case .terminated = exchange.outcome { isEnd = true }
        guard isClean && isWiped && hasReason && isEnd == isOver && summary.count < 400 else {
            Issue.record("\(summary) \(exchange.reason ?? "-")")
            return
        }
    }
}
