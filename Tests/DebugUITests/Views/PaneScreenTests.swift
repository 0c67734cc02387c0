import Testing

@testable import DebugUI
@testable import VCPUControl

/// Each pane with the keys and alone, and what is asked and shown over the panes.
@Suite("Screens of the panes")
struct PaneScreenTests {
    private static let sizes = [(80, 24), (120, 40)]

    /// Two findings, and a step whose RIP is seen in memory.
    private static let more: [UIEvent] = [
        .session([.finding(Story.finding), .finding(Story.note)]), .key("6"), .key("2"), .key("s"),
        .session([.stop(Story.stop(.step, rip: 0x100010))]),
        .finished(Story.snapshot(rip: 0x100010, rax: 0xa, exchange: Story.cpuid, vmgexits: 3)),
    ]

    private func told(
        _ columns: Int, _ rows: Int, vcpus: Int = 1, then keys: [UIEvent] = []
    ) -> UIState {
        Story.told(columns, rows, vcpus: vcpus, then: Self.more + keys)
    }

    private func key(_ pane: Pane) -> UIEvent {
        .key(.character(Unicode.Scalar(UInt8(48 + pane.number))))
    }

    @Test(
        "a pane that gets the keys is in front, and zoomed it has the screen",
        arguments: Pane.allCases, sizes)
    func pane(_ pane: Pane, _ size: (Int, Int)) throws {
        let (columns, rows) = size
        let name = "\(pane)-\(columns)x\(rows)"
        let state = told(columns, rows, then: [key(pane)])
        #expect(Layout(state)[pane].rows > 0)
        try Screens.check(state, "pane-" + name)
        try Screens.check(told(columns, rows, then: [key(pane), .key("z")]), "zoomed-" + name)
    }

    @Test("the more room, the more panes at once", arguments: [(100, 30), (160, 50), (200, 60)])
    func grow(columns: Int, rows: Int) throws {
        let state = told(columns, rows, vcpus: 2)
        let shown = Pane.allCases.filter { Layout(state)[$0].rows > 0 }
        #expect(shown.count == (columns < 150 ? 6 : 8))
        try Screens.check(state, "panes-\(columns)x\(rows)")
    }

    @Test("the lines that are asked for", arguments: sizes)
    func prompts(columns: Int, rows: Int) throws {
        let size = "\(columns)x\(rows)"
        let search = told(columns, rows, then: Story.keys("4/cpuid"))
        try Screens.check(search, "search-" + size)
        let filter = told(columns, rows, then: Story.keys("4\\IOIO") + [.key(.enter)])
        try Screens.check(filter, "filter-" + size)
        let address = told(columns, rows, then: Story.keys("a0x1003000"))
        try Screens.check(address, "address-" + size)
    }

    @Test("Enter shows a finding whole", arguments: sizes)
    func finding(columns: Int, rows: Int) throws {
        let state = told(columns, rows, then: [.key("7"), .key(.up), .key(.enter)])
        try Screens.check(state, "finding-\(columns)x\(rows)")
    }

    @Test("memory that cannot be read is hidden, and says why", arguments: sizes)
    func hiddenMemory(columns: Int, rows: Int) throws {
        let size = "\(columns)x\(rows)"
        let nowhere = told(columns, rows, then: [.key("6"), .finished(Story.hidden)])
        try Screens.check(nowhere, "memory-hidden-" + size)
        let there = [UIEvent.located("0x1002ff0", .success(.init(0x100_2ff0)))]
        let state = told(columns, rows, then: [.key("6"), .finished(Story.hidden)] + there)
        try Screens.check(state, "memory-protected-" + size)
    }
}
