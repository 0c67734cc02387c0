import Foundation
import Testing

/// Random keys, sizes and signals against the program, with a guest that runs.
///
/// SEVDBG_MONKEY says how many (`make monkey`); SEVDBG_SEED repeats a run.
@Suite("The monkey")
struct MonkeyTests {
    @Test("does not break, and leaves the terminal as it was", arguments: ["smp", "spin"])
    func monkey(guest: String) throws {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["SEVDBG_MONKEY"].flatMap { Int($0) }
        let seed =
            environment["SEVDBG_SEED"].flatMap { UInt64($0) }
            ?? (count == nil ? 1 : UInt64.random(in: 0...UInt64.max))
        if count != nil { print("monkey: SEVDBG_SEED=\(seed), guest \(guest)") }
        var monkey = Monkey(seed: seed)
        var terminal = try Self.launch(guest)
        for number in 0..<(count ?? 4000) / 2 {
            try monkey.act(on: terminal)
            if number % 500 == 0 { terminal.forget() }
            guard terminal.check() != nil else { continue }
            let comment: Comment = "seed \(seed), action \(number): \(monkey.last)"
            let ending = try terminal.end()
            #expect(Self.endings.contains(ending), comment)
            #expect(terminal.remains.isEmpty, comment)
            terminal = try Self.launch(guest)
        }
        try Self.leave(terminal, "seed \(seed): \(monkey.last)")
    }

    /// When the terminal is given back, a SIGINT and the keys ^C and ^\ do what they do in a shell.
    private static let endings: [PseudoTerminal.Ending] = [
        .exit(0), .signal(SIGINT), .signal(SIGQUIT),
    ]

    private static func launch(_ guest: String) throws -> PseudoTerminal {
        let terminal = try PseudoTerminal(["launch", guest, "--mouse"])
        try terminal.wait(for: "at entry")
        return terminal
    }

    /// However it is left, keys have their effect again, and it can be quit.
    private static func leave(_ terminal: PseudoTerminal, _ comment: Comment) throws {
        terminal.resize(columns: 80, rows: 24)
        // Ends a paste, interrupts the guest, leaves the mode; what is left then is an answer.
        for key in ["\u{1b}[201~", "\u{3}", "\u{3}", "\u{1b}", "\u{1b}"] {
            try terminal.type(key)
            try terminal.drain()
        }
        if terminal.check() == nil {
            terminal.forget()
            try terminal.type("?")
            try terminal.wait(for: "sevdbg help")
            try terminal.type("\u{1b}")
            try terminal.drain()
            try terminal.type("qy")
        }
        let ending = try terminal.end()
        #expect(endings.contains(ending), comment)
        #expect(terminal.remains.isEmpty, comment)
    }
}

/// What to do next, from a seed.
private struct Monkey {
    private var state: UInt64
    /// The last things that it did.
    private(set) var last: [String] = []

    init(seed: UInt64) { state = seed }

    private static let words = [
        "\u{1b}", "\u{1b}[", "\u{1b}O", "\u{1b}[A", "\u{1b}OB", "\u{1b}[5~", "\u{1b}[6~",
        "\u{1b}OP", "\u{1b}[21~", "\u{1b}[Z", "\u{1b}[200~", "\u{1b}[201~", "\u{1b}[<0;10;10M",
        "\u{1b}[<64;30;12M", "\u{1b}[<65;30;12M", "\u{1b}[M !!", "é", "💣", ":info exits\r",
        ":continue\r", ":x/40i $rip\r",
    ]
    private static let signals = [SIGWINCH, SIGTSTP, SIGCONT, SIGINT]

    mutating func act(on terminal: PseudoTerminal) throws {
        switch number(100) {
        case 0..<50:
            try type([UInt8]("sngcbmvVz:?123456789/\\\tjkhl \r".utf8).pick(&self), terminal)
        case 50..<70: try type(UInt8(number(256)), terminal)
        case 70..<90:
            let word = Self.words.pick(&self)
            note(word.debugDescription)
            try terminal.type(word)
        case 90..<96:
            let (columns, rows) = (UInt16(1 + number(200)), UInt16(1 + number(60)))
            note("\(columns)x\(rows)")
            terminal.resize(columns: columns, rows: rows)
        default:
            let signal = Self.signals.pick(&self)
            note("signal \(signal)")
            kill(terminal.process, signal)
        }
    }

    private mutating func type(_ byte: UInt8, _ terminal: PseudoTerminal) throws {
        note(String(byte, radix: 16))
        try terminal.send([byte])
    }

    private mutating func note(_ action: String) { last = last.suffix(30) + [action] }

    private mutating func number(_ count: UInt64) -> Int { Int(next() % count) }
}

extension Monkey: RandomNumberGenerator {
    /// splitmix64.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}

extension Array {
    fileprivate func pick(_ generator: inout Monkey) -> Element {
        self[Int(generator.next() % UInt64(count))]
    }
}
