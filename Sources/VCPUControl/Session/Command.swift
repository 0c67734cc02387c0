/// A debugger command, parsed.
package enum Command: Sendable, Equatable {
    case stepInstruction(count: UInt64)
    case nextInstruction(count: UInt64)
    case `continue`(count: UInt64)
    case vmgexit(ExitFilter, count: UInt64)
    case finish
    case until(Expression)
    case breakAddress(Expression?, Breakpoint.Condition?)
    case breakExchange(ExitFilter, Breakpoint.Condition?)
    case watch(Expression, length: Expression?, Breakpoint.Condition?)
    case clear(Expression)
    case delete([Int])
    case enable([Int])
    case disable([Int])
    case info(InfoTopic, arguments: [String])
    case examine(ExamineFormat, Expression?)
    case print(ExamineFormat.Letter?, Expression)
    case disassemble(CodeRange)
    case setRegister(NamedRegister, name: String, Expression)
    case setMemory(MemoryUnit, Expression, Expression)
    case vcpu(Expression?)
    case setup(GHCBSetup?)
    case compare([GHCBSetup])
    case restart
    case detach
    case help(String?)
    case quit

    /// What `disassemble` shows.
    package enum CodeRange: Sendable, Equatable {
        /// The function around an address; `nil` is RIP.
        case function(Expression?)
        case range(Expression, end: Expression)
        case length(Expression, Expression)
    }
}

/// What follows the slash in `x/4xg`; what is `nil` is as it was the last time.
package struct ExamineFormat: Sendable, Equatable {
    /// gdb's format letters.
    package enum Letter: Character, CaseIterable, Sendable {
        case hex = "x"
        case signed = "d"
        case unsigned = "u"
        case octal = "o"
        case binary = "t"
        case address = "a"
        case character = "c"
        case string = "s"
        case instruction = "i"
    }

    package var count: Int = 1
    package var letter: Letter?
    package var unit: MemoryUnit?

    /// More than anyone reads, and few enough to stay quick.
    static let greatestCount = 65536

    /// Takes gdb's count, format and unit letters in any order.
    package static func parse(_ text: some StringProtocol) throws(CommandFailure) -> ExamineFormat {
        var format = ExamineFormat()
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        if !digits.isEmpty {
            guard let count = Int(digits), (1...greatestCount).contains(count) else {
                throw CommandFailure(
                    "cannot show \(digits) units; the count is 1 to \(greatestCount)")
            }
            format.count = count
        }
        for character in text.dropFirst(digits.count) {
            if let letter = Letter(rawValue: character) {
                format.letter = letter
            } else if let unit = MemoryUnit(letter: character) {
                format.unit = unit
            } else {
                throw CommandFailure(
                    "/\(text): `\(character)` is no format (x d u o t a c s i) and no unit"
                        + " (b h w g)")
            }
        }
        return format
    }
}

/// What `info` can show.
package enum InfoTopic: String, CaseIterable, Sendable {
    case registers, ghcb, msr, exits, findings, breakpoints, vcpus, memory, setup

    package var summary: String {
        switch self {
        case .registers: "registers of the current vCPU, all or those named"
        case .ghcb: "the GHCB as the host sees it now, and the last exchange"
        case .msr: "the GHCB MSR of each vCPU, decoded"
        case .exits: "the last VMGEXITs; a number says how many, a filter which"
        case .findings: "what the lint rules have found since launch"
        case .breakpoints: "breakpoints with their conditions and hits"
        case .vcpus: "every vCPU, its state and where it stands"
        case .memory: "which pages are private and which shared"
        case .setup: "machine, GHCB setup, guest and launch options"
        }
    }
}
