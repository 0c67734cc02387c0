/// Which VMGEXITs a command is about: `CPUID`, `0x72`, `port=0x3f8`, `!IOIO`, or several.
///
/// A VMGEXIT matches when none of the negated terms holds and, where there are others, one of those
/// does.
package struct ExitFilter: Sendable, Equatable {
    package enum Term: Sendable, Equatable {
        /// The specification's name.
        case name(String)
        /// The exit code, or GHCBInfo of the MSR protocol.
        case code(UInt64)
        case port(UInt64)
        case msr(UInt64)
    }

    package struct Condition: Sendable, Equatable {
        package var term: Term
        package var isNegated: Bool
    }

    package var conditions: [Condition]
    /// As the user wrote it; empty matches everything.
    package var text: String

    /// What a term may be or begin with, in alphabetical order.
    static let words =
        Set(ExitCode.table.map(\.name) + GHCBMSR.Info.allCases.map(\.name)).sorted()
        + ["code=", "msr=", "port="]

    package static let all = ExitFilter(conditions: [], text: "")

    /// - Throws: a sentence that names the term that is none.
    package static func parse(_ text: String) throws(CommandFailure) -> ExitFilter {
        var conditions: [Condition] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let isNegated = part.hasPrefix("!")
            let term = try term(String(part.drop { $0 == "!" }))
            conditions.append(Condition(term: term, isNegated: isNegated))
        }
        return ExitFilter(conditions: conditions, text: text)
    }

    package func matches(_ exchange: Exchange) -> Bool {
        conditions.isEmpty || matches(Subject(exchange))
    }

    /// The same for an access of a guest without SEV-ES, by the VMGEXIT that it would be.
    package func matches(_ access: PassedExit.Kind) -> Bool { matches(Subject(access)) }

    private func matches(_ subject: Subject) -> Bool {
        let (negated, wanted) = (
            conditions.filter(\.isNegated), conditions.filter { !$0.isNegated }
        )
        guard !negated.contains(where: { $0.term.holds(for: subject) }) else { return false }
        return wanted.isEmpty || wanted.contains { $0.term.holds(for: subject) }
    }

    private static func term(_ text: String) throws(CommandFailure) -> Term {
        guard let separator = text.firstIndex(of: "=") else { return try nameOrCode(text) }
        let value = try number(String(text[text.index(after: separator)...]), in: text)
        switch text[..<separator].lowercased() {
        case "port": return .port(value)
        case "msr": return .msr(value)
        case "code": return .code(value)
        case let key:
            throw CommandFailure("there is no filter \(key)=; use port=, msr=, code=, or a name")
        }
    }

    private static func nameOrCode(_ text: String) throws(CommandFailure) -> Term {
        if text.first?.isNumber ?? false { return .code(try number(text, in: text)) }
        guard let name = ExitName.known(text) else {
            throw CommandFailure(
                "\(text) names no VMGEXIT; use a name such as CPUID, IOIO, MSR or MMIO_READ, a code"
                    + " such as 0x72, port=0x3f8 or msr=0xc0000080")
        }
        return .name(name)
    }

    private static func number(_ digits: String, in text: String) throws(CommandFailure) -> UInt64 {
        guard digits.first?.isNumber ?? false else {
            throw CommandFailure("\(text) lacks a number, as in port=0x3f8")
        }
        return try ExpressionParser.number(digits).bits
    }
}

extension ExitFilter {
    /// What the terms of a filter look at.
    struct Subject {
        var name: String
        var code: UInt64?
        var port: UInt64?
        var msr: UInt64?
    }
}

extension ExitFilter.Subject {
    init(_ exchange: Exchange) {
        name = exchange.name
        switch exchange.content {
        case .page(let request, _): code = request.raw(.swExitCode)
        case .msr: code = UInt64(exchange.decodedMSR.info)
        case .noPage: code = nil
        }
        if name == "IOIO" { port = UInt64(IOIOInfo(rawValue: exchange.info1).port) }
        if name == "MSR" { msr = exchange.requestPage?.value(.rcx) }
    }

    init(_ access: PassedExit.Kind) {
        let code: ExitCode?
        switch access {
        case .port(let access): (code, port) = (.ioio, UInt64(access.port))
        case .readMSR(let number), .writeMSR(let number, _): (code, msr) = (.msr, UInt64(number))
        case .memory(let access): code = access.isRead ? .mmioRead : .mmioWrite
        case .other: code = nil
        }
        (name, self.code) = (code?.name ?? access.name, code?.rawValue)
    }
}

extension ExitFilter.Term {
    func holds(for subject: ExitFilter.Subject) -> Bool {
        switch self {
        case .name(let name): subject.name == name
        case .code(let code): subject.code == code
        case .port(let port): subject.port == port
        case .msr(let number): subject.msr == number
        }
    }
}

/// The names that a VMGEXIT can have.
enum ExitName {
    /// The specification's spelling of a page event, an alias of one, or an MSR request.
    static func known(_ name: String) -> String? {
        if let code = ExitCode(named: name) { return code.name }
        return GHCBMSR.Info.allCases.lazy.map(\.name).first { $0 == name.uppercased() }
    }
}
