import Testing

@testable import VCPUControl

@Suite("What KVM does to the page, step by step")
struct ExchangeStepTests {
    private static func run(_ page: GHCBPage) throws -> (Exchange, waiting: GHCBPage?) {
        let harness = GHCBHarness()
        var step = harness.vmgexit(page)
        var waiting: GHCBPage?
        for _ in 0..<64 where step.resumed == nil && step.ended == nil {
            switch step {
            case .io(_, let page), .mmio(_, let page): waiting = waiting ?? page
            default: break
            }
            step = harness.complete([0x5a])
        }
        return (try #require(step.resumed ?? step.ended), waiting)
    }

    private static func numbers(_ page: GHCBPage) throws -> [Int] {
        try run(page).0.steps.map(\.number)
    }

    @Test("an event that the kernel answers never shows its answer early")
    func kernel() throws {
        let (exchange, _) = try Self.run(.correct(.cpuid, 0, 0, [.rax: 0, .rcx: 0]))
        #expect(exchange.steps.map(\.number) == [1, 3, 4, 6])
        let steps = exchange.steps
        #expect(steps[1].page.validFields.isEmpty)
        #expect(steps[1].page.raw(.rax) == 0)
        #expect(steps[2].changes(since: steps[1]) == [.swExitInfo1, .swExitInfo2])
        #expect(
            steps[3].changes(since: steps[2]) == [.rax, .rcx, .rdx, .rbx])
    }

    @Test("userspace sees both information words cleared, and no answer")
    func userspace() throws {
        let (exchange, waiting) = try Self.run(.correct(.ioio, 0x3f8_0211))
        #expect(exchange.steps.map(\.number) == [1, 3, 4, 5, 6])
        let seen = try #require(exchange.steps.first { $0.number == 5 }?.page)
        #expect(seen == waiting)
        #expect(seen.raw(.swExitCode) == ExitCode.ioio.rawValue)
        #expect(seen.value(.swExitInfo1) == 0)
        #expect(!seen.isValid(.rax))
    }

    @Test("a refused request has its reason with step 4, one with a bad value at the end")
    func refused() throws {
        let missing = try Self.run(.correct(.cpuid, 0, 0, [.rax: 0])).0.steps
        #expect(missing.map(\.event) == [.request, .taken, .refused, .resumed])
        #expect(missing[2].page.value(.swExitInfo1) == 2)
        #expect(missing[2].page.value(.swExitInfo2) == 4)
        let value = try Self.run(.correct(.apJumpTable, 7)).0.steps
        #expect(value.map(\.event) == [.request, .taken, .accepted, .resumed])
        #expect(value[3].changes(since: value[2]).contains(.swExitInfo1))
    }

    @Test("a VM that ends has no step 6")
    func ended() throws {
        #expect(try Self.numbers(.correct(.termination, 0)) == [1, 3, 4, 5])
        #expect(try Self.numbers(.correct(.rdtsc)) == [1, 3, 4, 5])
    }

    @Test("whatever the page, the steps begin with the request and end with the answer")
    func anyPage() throws {
        var generator = SeededGenerator(state: 5)
        for _ in 0..<2_000 {
            var page = GHCBPage()
            for field in GHCBField.allCases where generator.next() % 4 != 0 {
                page.set(field, to: generator.next() >> (generator.next() % 64))
            }
            if generator.next() % 8 != 0 { page.setRaw(.ghcbUsage, to: 0) }
            let events = NAEEvent.table
            let code = events[Int(generator.next() % UInt64(events.count))].code
            page.set(.swExitCode, to: code.rawValue)
            let (exchange, waiting) = try Self.run(page)
            let steps = exchange.steps
            #expect(steps.first?.page == page)
            #expect(exchange.responsePage == nil || steps.last?.page == exchange.responsePage)
            #expect(steps.map(\.number) == steps.map(\.number).sorted())
            if exchange.outcome == .ok, let waiting {
                #expect(steps.first { $0.number == 5 }?.page == waiting)
            }
        }
    }
}
