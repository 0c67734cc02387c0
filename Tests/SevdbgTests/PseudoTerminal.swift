internal import CPseudoTerminal
import Foundation

/// A program on a pty of its own, as the session leader of nobody else's: bytes in, bytes out.
final class PseudoTerminal {
    /// How a program ended.
    enum Ending: Equatable {
        case exit(Int32)
        case signal(Int32)
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    let process: pid_t
    /// What the program has written since the last `forget`.
    private(set) var output: [UInt8] = []
    /// What was switched on when the output was forgotten.
    private var on: Set<String> = []
    private let master: Int32
    private let modes: [UInt32]
    private var ending: Ending?
    private var isOpen = true

    static let environment = [
        "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TERM": "xterm-256color",
        "XDG_CONFIG_HOME": "/nonexistent",
        "XDG_STATE_HOME": FileManager.default.temporaryDirectory
            .appending(path: "sevdbg-state-\(getpid())").path(),
    ]

    static var program: String { Bundle.main.bundleURL.appending(path: "sevdbg").path() }

    /// Starts `sevdbg` with arguments, or another command.
    init(
        _ arguments: [String], command: String = PseudoTerminal.program,
        environment: [String: String] = [:], columns: UInt16 = 80, rows: UInt16 = 24
    ) throws {
        let variables = Self.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
        var (terminal, modes) = (Int32(-1), termios())
        process = unsafe Self.withPointers([command] + arguments) { arguments in
            unsafe Self.withPointers(variables) { variables in
                unsafe cpty_spawn(arguments, variables, columns, rows, &terminal, &modes)
            }
        }
        master = terminal
        self.modes = Self.flags(of: modes)
        guard process > 0 else { throw Failure(description: "no pty: errno \(errno)") }
    }

    deinit { close() }

    /// Ends the program with its terminal.
    func close() {
        hangUp()
        // A process that was never made is -1, and kill(2) takes that for all.
        guard ending == nil, process > 0 else { return }
        kill(process, SIGKILL)
        var status: Int32 = 0
        _ = unsafe waitpid(process, &status, 0)
        ending = .signal(SIGKILL)
    }

    /// Takes the terminal away from the program.
    func hangUp() {
        if isOpen { _ = Glibc.close(master) }
        isOpen = false
    }

    // MARK: Input

    func type(_ text: String) throws { try send(Array(text.utf8)) }

    /// Writes bytes, and reads meanwhile what the program has to say, as a terminal does.
    func send(_ bytes: [UInt8]) throws {
        let end = ContinuousClock.now + .seconds(20)
        while try events(POLLIN | POLLOUT, within: 100) & POLLOUT == 0 {
            guard check() == nil else { return }
            guard ContinuousClock.now < end else { throw Failure(description: "takes no keys") }
        }
        _ = unsafe write(master, bytes, bytes.count)
    }

    func resize(columns: UInt16, rows: UInt16) { cpty_resize(master, columns, rows) }

    // MARK: Output

    func forget() {
        on = switchedOn
        output = []
    }

    /// Reads until the program has written nothing for so many milliseconds.
    func drain(_ milliseconds: Int32 = 100) throws {
        for _ in 0..<1000 where try events(POLLIN, within: milliseconds) == 0 { return }
    }

    /// Waits until the output has a text, from the last `forget` on.
    func wait(for text: String) throws {
        let end = ContinuousClock.now + .seconds(30)
        while !contains(text) {
            guard ContinuousClock.now < end, ending == nil else {
                let last = String(decoding: output.suffix(2000), as: UTF8.self)
                throw Failure(description: "no \(text) in \(last.debugDescription)")
            }
            _ = try events(POLLIN, within: 50)
        }
    }

    func contains(_ text: String) -> Bool { output.firstRange(of: Array(text.utf8)) != nil }

    /// Which of the events the pty has; what can be read is read.
    private func events(_ wanted: Int32, within milliseconds: Int32) throws -> Int32 {
        guard isOpen else { return 0 }
        var entry = pollfd(fd: master, events: Int16(wanted), revents: 0)
        guard unsafe poll(&entry, 1, milliseconds) > 0 else { return 0 }
        let events = Int32(entry.revents)
        guard events & (POLLIN | POLLHUP) != 0 else { return events }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe read(master, &buffer, buffer.count)
        if count > 0 { output += buffer.prefix(count) }
        if count <= 0 { _ = check() }
        return count > 0 ? events : 0
    }

    // MARK: The end

    /// How the program has ended, if it has.
    @discardableResult
    func check() -> Ending? {
        var status: Int32 = 0
        guard ending == nil, unsafe waitpid(process, &status, WNOHANG) == process else {
            return ending
        }
        ending = status & 0x7f == 0 ? .exit(status >> 8 & 0xff) : .signal(status & 0x7f)
        return ending
    }

    /// Waits for the end, and reads what is left.
    func end() throws -> Ending {
        let end = ContinuousClock.now + .seconds(30)
        while check() == nil {
            guard ContinuousClock.now < end else { throw Failure(description: "does not end") }
            _ = try events(POLLIN, within: 20)
        }
        try drain(20)
        return ending ?? .exit(-1)
    }

    /// What the program has left behind on its terminal; nothing where all is as before.
    var remains: [String] {
        var remains: [String] = []
        if Self.modes(of: master) != modes { remains.append("other modes") }
        return remains + switchedOn.sorted()
    }

    /// What xterm does between two sequences.
    private static let switches = [
        ("the other screen", "\u{1b}[?1049h", "\u{1b}[?1049l"),
        ("no cursor", "\u{1b}[?25l", "\u{1b}[?25h"),
        ("marks of pastes", "\u{1b}[?2004h", "\u{1b}[?2004l"),
        ("the mouse", "\u{1b}[?1006;1000h", "\u{1b}[?1006;1000l"),
    ]

    private var switchedOn: Set<String> {
        let place = { (text: String) in
            self.output.ranges(of: Array(text.utf8)).last?.lowerBound ?? -1
        }
        let names = Self.switches.filter { name, start, end in
            let (on, off) = (place(start), place(end))
            return on == off ? self.on.contains(name) : on > off
        }
        return Set(names.map(\.0))
    }

    // MARK: The kernel's side

    private static func modes(of master: Int32) -> [UInt32] {
        var modes = termios()
        _ = unsafe tcgetattr(master, &modes)
        return flags(of: modes)
    }

    private static func flags(of modes: termios) -> [UInt32] {
        [modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag]
    }

    /// Calls with texts as C has them, and a null pointer behind the last.
    private static func withPointers<Result>(
        _ texts: [String], _ body: ([UnsafePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = unsafe texts.map { unsafe strdup($0) }
        defer { unsafe copies.forEach { unsafe free($0) } }
        return unsafe body(copies.map { unsafe UnsafePointer($0) } + [nil])
    }
}
