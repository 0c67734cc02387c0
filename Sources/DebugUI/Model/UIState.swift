package import VCPUControl

/// All that the terminal shows, as one value.
package struct UIState: Sendable {
    /// What the keys work on.
    package enum Mode: Sendable, Equatable {
        case normal
        case commandLine(CommandInput)
        case prompt(Prompt)
        /// The help, scrolled by this many rows.
        case help(top: Int)
        case quitQuestion
        /// Two setups side by side.
        case comparison(ComparisonPage)
    }

    /// A sentence above the key line, until the next key.
    package struct Message: Sendable, Equatable {
        package var text: String
        package var isError: Bool
    }

    /// The lines that a command answered, until they are dismissed.
    package struct Answer: Sendable, Equatable {
        package var command: String
        package var lines: [String]
        package var top = 0
        /// Columns scrolled out on the left.
        package var column = 0
    }

    package var size: Size
    package var glyphs: Glyphs
    package var keyMap: KeyMap
    /// The symbols that a command line is completed with.
    package var symbols: [String]

    package var launch: Launch?
    package var snapshot: Snapshot?
    /// The last stop since launch.
    package var stop: Stop?
    /// How the guest came to its end, if it did.
    package var end: End?
    /// Whether a command is being carried out.
    package var isRunning = false
    /// What is known of the command that is being carried out.
    package var run = RunSamples()
    package var changes = Changes()
    package var log = ExitLog()
    package var findings = FindingLog()
    package var console = ConsoleText()

    package var focus = Pane.code
    /// The panes that had the keys, the last one first: these are in front of their areas.
    package var recent: [Pane] = []
    package var isZoomed = false
    /// By `Pane.rawValue`; the panes with a cursor use only the column.
    package var scroll = [ScrollPosition](repeating: ScrollPosition(), count: Pane.allCases.count)
    /// The line of the code that `b` works on; `nil` is the one at RIP.
    package var codeCursor: GuestVirtualAddress?
    /// Around which address code is shown; `nil` is RIP.
    package var codePlace: GuestVirtualAddress?
    /// The first instruction that the code pane shows: it stays for as long as the cursor is in
    /// sight, so that a step moves the mark and not the code.
    package var codeTop: GuestVirtualAddress?
    package var memory = MemoryPlace()
    /// The vCPU that Enter chooses; `nil` is the current one.
    package var vcpuCursor: Int?
    /// What was asked for, until it comes.
    package var asked: SnapshotRequest?
    /// What `/` looked for last.
    package var search: TextPattern?
    package var mode = Mode.normal
    package var message: Message?
    package var answer: Answer?
    /// Command lines, oldest first.
    package var history: [String] = []

    package init(
        size: Size, glyphs: Glyphs = .unicode, keyMap: KeyMap = KeyMap(), symbols: [String] = [],
        history: [String] = []
    ) {
        self.size = size
        self.glyphs = glyphs
        self.keyMap = keyMap
        self.symbols = symbols
        self.history = history
    }

    /// What the words of a command line can name.
    package var completionContext: CompletionContext {
        var context = CompletionContext(symbols: symbols)
        context.vcpus = launch?.vcpus ?? 1
        context.breakpoints = snapshot?.breakpoints ?? []
        return context
    }

    /// Whether quitting would end a guest that could run on.
    package var hasLiveGuest: Bool { launch != nil && end == nil }

    /// The exchange that the GHCB pane shows.
    package var selectedExchange: ExitRecord? { log.chosenEntry }

    package mutating func say(_ text: String) { message = Message(text: text, isError: false) }
    package mutating func complain(_ text: String) { message = Message(text: text, isError: true) }
}
