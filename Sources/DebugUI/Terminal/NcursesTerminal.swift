internal import CNcurses
import Glibc

/// The real terminal on stdin and stdout, through ncurses.
///
/// Only the main thread of the process may use it. The pointers that ncurses and the C library get
/// here are to variables that outlive the call, and they keep none.
final class NcursesTerminal: Terminal {
    private(set) var size: Size
    /// Whether the locale lets other characters than ASCII through.
    let isUTF8: Bool
    private let palette: Palette
    private let paste: PasteKeys
    private let signals: SignalDescriptor
    /// What ncurses writes to.
    private let screen: Int32
    /// What has been pasted, while more is to come.
    private var pasted: [Unicode.Scalar]?
    /// Milliseconds without a byte of it.
    private var silence: Int32 = 0
    private var isOpen = true

    /// A paste whose end does not come is over after so many milliseconds of silence.
    private static let pasteSilence: Int32 = 2000

    /// Larger screens are used up to here.
    private static let maximum = Size(columns: 1000, rows: 500)

    /// Whether there is a terminal that can be used, without touching it.
    ///
    /// ncurses would stop the process or freeze the size where this fails.
    static func check() throws(TerminalError) {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { throw .noTerminal }
        // The C library's copy stays while nothing changes the environment.
        let term = unsafe getenv("TERM").map { unsafe String(cString: $0) } ?? ""
        guard !term.isEmpty, unsafe cncurses_describe(term) else { throw .unknown(term: term) }
        guard !Capability.bytes("cup").isEmpty, !Capability.bytes("clear").isEmpty else {
            throw .incapable(term: term)
        }
    }

    /// Takes over the terminal.
    init(
        _ options: TerminalOptions, signals: consuming SignalDescriptor
    ) throws(TerminalError) {
        self.signals = signals
        isUTF8 = cncurses_set_locale()
        // ncurses would take these for the size, and never see another.
        _ = unsafe unsetenv("LINES")
        _ = unsafe unsetenv("COLUMNS")
        screen = TerminalGuard.prepare(ending: Self.ending(usesMouse: options.usesMouse))
        TerminalGuard.arm()
        guard cncurses_open(screen) else {
            TerminalGuard.disarm()
            throw .notOpened
        }
        if options.usesMouse { cncurses_use_mouse() }
        palette = Palette(options.theme, usesColor: options.usesColor)
        paste = PasteKeys()
        size = Self.maximum
        size = currentSize()
        send(paste.enable)
    }

    deinit { close() }

    /// What puts any terminal back that ncurses has used.
    private static func ending(usesMouse: Bool) -> [UInt8] {
        // What ncurses itself says where the description has a mouse; user_caps(5): XM.
        let mouse = usesMouse && !Capability.bytes("kmous").isEmpty ? "\u{1b}[?1006;1000l" : ""
        return PasteKeys.ending + mouse.utf8
            + ["rmkx", "sgr0", "op", "cnorm", "rmcup"].flatMap(Capability.bytes)
    }

    /// Gives the terminal back for good.
    func close() {
        guard isOpen else { return }
        isOpen = false
        leave()
    }

    private func leave() {
        send(paste.disable)
        endwin()
        TerminalGuard.disarm()
    }

    private func send(_ bytes: [UInt8]) {
        // The array outlives the call.
        _ = unsafe write(screen, bytes, bytes.count)
    }

    // MARK: Output

    func draw(_ diff: FrameDiff) {
        guard !diff.isEmpty else { return }
        for run in diff.runs {
            let look = palette[run.style]
            let text = isUTF8 ? run.text : run.text.asciiOnly
            let (row, column) = (Int32(run.start.row), Int32(run.start.column))
            unsafe cncurses_put(row, column, text, look.attributes, look.pair)
        }
        cncurses_cursor(Int32(diff.cursor?.row ?? -1), Int32(diff.cursor?.column ?? 0))
        refresh()
    }

    func clear() { cncurses_forget_screen() }

    private func currentSize() -> Size {
        var (rows, columns) = (Int32(24), Int32(80))
        _ = unsafe cncurses_size(&rows, &columns)
        let limit = Self.maximum
        let size = Size(columns: min(Int(columns), limit.columns), rows: min(Int(rows), limit.rows))
        resizeterm(Int32(max(1, size.rows)), Int32(max(1, size.columns)))
        return size
    }

    func suspend() {
        leave()
        signals.stop()
        enter()
    }

    /// Takes the terminal again after somebody else had it.
    private func enter() {
        // In the background this stops the process until the terminal is its own again.
        reset_prog_mode()
        TerminalGuard.arm()
        size = currentSize()
        clear()
        refresh()
        send(paste.enable)
    }

    // MARK: Input

    func nextInput(or descriptor: Int32, within milliseconds: Int32?) -> TerminalInput? {
        if let input = typed() { return input }
        let input = Int16(POLLIN)
        var entries = [STDIN_FILENO, signals.descriptor, descriptor].map {
            pollfd(fd: $0, events: input, revents: 0)
        }
        let limit = pasted == nil ? milliseconds : min(milliseconds ?? .max, Self.pasteSilence)
        let count = unsafe poll(&entries, 3, limit ?? -1)
        guard count > 0 else { return count == 0 ? endSilentPaste(after: limit ?? 0) : nil }
        if entries[1].revents != 0, let signal = signals.next() { return take(signal) }
        guard entries[0].revents != 0 else { return nil }
        let isGone = entries[0].revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
        return typed() ?? (isGone ? .hangup : nil)
    }

    private func take(_ signal: Int32) -> TerminalInput {
        switch signal {
        case SIGINT: return .interrupt
        case SIGTSTP: return .suspend
        case SIGCONT:
            enter()
            return .damaged
        default:
            size = currentSize()
            return .resized
        }
    }

    /// The next whole input that has been typed or pasted.
    private func typed() -> TerminalInput? {
        var value: UInt32 = 0
        while true {
            switch unsafe cncurses_key(&value) {
            case 1:
                guard pasted == nil else {
                    collect(value)
                    continue
                }
                if let key = Key(typed: value) { return .key(key) }
            case 2:
                if let input = take(code: Int32(bitPattern: value)) { return input }
            default:
                return nil
            }
        }
    }

    private func take(code: Int32) -> TerminalInput? {
        switch code {
        case PasteKeys.start: (pasted, silence) = ([], 0)
        case PasteKeys.end: return endPaste()
        case KEY_MOUSE: return mouse()
        default: return pasted == nil ? Key(code: code).map { .key($0) } : nil
        }
        return nil
    }

    private func endPaste() -> TerminalInput? {
        defer { (pasted, silence) = (nil, 0) }
        return pasted.map { .paste(String(String.UnicodeScalarView($0))) }
    }

    private func mouse() -> TerminalInput? {
        var (row, column) = (Int32(0), Int32(0))
        let button = unsafe cncurses_mouse(&row, &column)
        let position = Position(row: Int(row), column: Int(column))
        switch button {
        case 1: return .click(position)
        case 4: return .wheel(position, rows: -3)
        case 5: return .wheel(position, rows: 3)
        default: return nil
        }
    }

    private func endSilentPaste(after milliseconds: Int32) -> TerminalInput? {
        silence += milliseconds
        return silence >= Self.pasteSilence ? endPaste() : nil
    }

    private func collect(_ value: UInt32) {
        silence = 0
        guard let count = pasted?.count, count < PasteKeys.limit else { return }
        pasted?.append(Unicode.Scalar(value) ?? "?")
    }
}

extension String {
    /// With `?` in the place of every other character.
    var asciiOnly: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.isASCII ? $0 : "?" }))
    }
}
