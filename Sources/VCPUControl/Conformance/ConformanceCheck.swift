/// One rule that every machine keeps, and how it is looked at.
package struct ConformanceCheck: Sendable {
    /// In the records: `breakpoint`.
    package let id: String
    /// What holds, in one sentence.
    package let rule: String
    /// What it takes of a machine; without it the check is skipped.
    let need: Need?
    let body: @Sendable (ConformanceBench) throws(ConformanceFailure) -> Void

    init(
        _ id: String, _ rule: String, need: Need? = nil,
        _ body: @escaping @Sendable (ConformanceBench) throws(ConformanceFailure) -> Void
    ) {
        (self.id, self.rule, self.need, self.body) = (id, rule, need, body)
    }

    /// All of them, in the order in which they build on each other.
    package static let all = launching + stepping + state + access + running + guests + comparing
}

extension ConformanceCheck {
    /// Something that not every machine has, and why a check is skipped without it.
    enum Need: Sendable {
        /// Registers and private memory are seen from outside.
        case visibleState
        /// They are not.
        case hiddenState
        /// The VM offers version 2 of the GHCB protocol.
        case secondProtocol
        /// Visible state, and another machine than the one that all are compared with.
        case comparison

        /// - Returns: `nil` where the machine has it.
        func obstacle(_ bench: ConformanceBench) -> String? {
            let isVisible = bench.traits.seesProtectedState
            switch self {
            case .visibleState: return isVisible ? nil : Self.protection
            case .hiddenState: return isVisible ? "it hides nothing from the host" : nil
            case .secondProtocol:
                return bench.protocolVersion >= 2
                    ? nil : "its KVM offers version \(bench.protocolVersion) of the GHCB protocol"
            case .comparison:
                if bench.isReference { return "it is what the others are compared with" }
                return isVisible ? nil : Self.protection
            }
        }

        private static let protection =
            "SEV-ES hides registers and private memory from the host"
    }
}

/// What a machine did otherwise than a check expects, in words.
struct ConformanceFailure: Error, Equatable {
    let text: String

    init(_ text: String) { self.text = text }
}

/// Ends a check that does not find what it expects.
func expect(
    _ condition: Bool, _ text: @autoclosure () -> String
) throws(ConformanceFailure) {
    if !condition { throw ConformanceFailure(text()) }
}

/// The same for two values that should be one.
func expect<Value: Equatable>(
    _ what: String, _ value: Value, is wanted: Value
) throws(ConformanceFailure) {
    try expect(value == wanted, "\(what) is \(value), not \(wanted)")
}
