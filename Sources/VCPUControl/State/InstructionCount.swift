/// How many instructions a guest has executed, as far as its machine can count them.
package struct InstructionCount: Sendable, Equatable, ExpressibleByIntegerLiteral {
    package var value: UInt64
    /// Whether these are all; else they are those that the debugger has stepped.
    package var isComplete: Bool

    package init(_ value: UInt64, isComplete: Bool) {
        self.value = value
        self.isComplete = isComplete
    }

    package init(integerLiteral value: UInt64) { self.init(value, isComplete: true) }

    /// `42 instructions`, `1 instruction stepped`.
    package var text: String {
        "\(value) instruction" + (value == 1 ? "" : "s") + (isComplete ? "" : " stepped")
    }

    /// The same for a narrow place.
    package var shortText: String { "\(value) " + (isComplete ? "insns" : "stepped") }

    /// All of them; hidden where the machine cannot tell.
    package var reading: Reading<UInt64> {
        isComplete ? .known(value, from: .direct) : .hidden(.protected)
    }
}
