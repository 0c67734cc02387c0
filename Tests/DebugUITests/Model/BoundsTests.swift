import Testing

@testable import DebugUI
@testable import VCPUControl

@Suite("What a guest can produce without end is bounded")
struct BoundsTests {
    @Test("the log keeps the last exchanges, and finds them by number")
    func log() {
        var log = ExitLog()
        #expect(log.chosenIndex == nil)
        for sequence in 1...25_000 {
            log.append(.init(sequence: sequence, exchange: Story.sevInfo))
        }
        #expect((10_000...12_000).contains(log.entries.count))
        #expect(log.entries.last?.sequence == 25_000)
        #expect(log.chosenIndex == log.entries.count - 1)
        log.chosen = 24_999
        #expect(log.chosenIndex == log.entries.count - 2)
        log.chosen = 1
        #expect(log.chosenIndex == 0)
    }

    @Test("a filter lets through what matches, before and after it is set, and is as bounded")
    func filtered() throws {
        var log = ExitLog()
        func add(_ sequences: ClosedRange<Int>) {
            for sequence in sequences {
                let exchange = sequence % 2 == 0 ? Story.cpuid : Story.sevInfo
                log.append(.init(sequence: sequence, exchange: exchange))
            }
        }
        add(1...10)
        log.filter = try ExitFilter.parse("CPUID")
        #expect(log.shown.map(\.number) == [2, 4, 6, 8, 10])
        add(11...25_000)
        #expect(log.shown == log.entries.filter { $0.number % 2 == 0 })
        log.choose(0)
        #expect(log.chosenEntry == log.shown.first)
        log.clear()
        #expect(log.shown.isEmpty && log.filter != nil && log.chosen == nil)
    }

    @Test("of a flood the newest events are kept, and of the others all")
    func backlog() {
        var backlog = EventBacklog()
        backlog.append(.launch(Story.launch()))
        for sequence in 1...50_000 { backlog.append(.vmgexit(sequence: sequence, Story.sevInfo)) }
        backlog.append(.stop(Story.stop(.interrupted, rip: 0)))
        let events = backlog.take()
        #expect(events.count <= 2 * EventBacklog.limit + 2)
        #expect(events.first == .launch(Story.launch()))
        #expect(events.dropLast().last == .vmgexit(sequence: 50_000, Story.sevInfo))
        #expect(events.last == .stop(Story.stop(.interrupted, rip: 0)))
        #expect(backlog.take().isEmpty)
    }

    @Test("the console has lines, and bounds in both directions")
    func console() {
        var console = ConsoleText()
        console.append(Array("one\r\ntw".utf8), vcpu: 0)
        console.append(Array("o\n\n".utf8), vcpu: 0)
        #expect(
            console.lines.map { String(decoding: $0.bytes, as: UTF8.self) } == ["one", "two", ""])
        console.append([65], vcpu: 0)
        console.append([66], vcpu: 1)
        #expect(console.lines.suffix(2).map(\.vcpu) == [0, 1])
        console.append([UInt8](repeating: 67, count: 5000), vcpu: 1)
        #expect(console.lines.allSatisfy { $0.bytes.count <= ConsoleText.maximumLength })
        console.append([UInt8](repeating: 10, count: 5000), vcpu: 1)
        #expect(console.lines.count <= ConsoleText.maximumLines * 6 / 5)
    }
}
