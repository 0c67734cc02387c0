import Testing

@testable import DebugUI
@testable import VCPUControl

@Suite("What a guest can produce without end is bounded")
struct BoundsTests {
    @Test("the log keeps the last exchanges, and finds them by number")
    func log() {
        var log = ExitLog()
        #expect(log.index(of: nil) == nil)
        for sequence in 1...25_000 {
            log.append(.init(sequence: sequence, exchange: Story.sevInfo))
        }
        #expect((10_000...12_000).contains(log.entries.count))
        #expect(log.entries.last?.sequence == 25_000)
        #expect(log.index(of: 24_999) == log.entries.count - 2)
        #expect(log.index(of: 1) == 0)
        #expect(log.index(of: nil) == log.entries.count - 1)
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
