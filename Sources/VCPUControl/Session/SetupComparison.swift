/// One guest under two GHCB setups: what `compare` answers.
package struct SetupComparison: Sendable, Equatable {
    /// One of the two.
    package struct Column: Sendable, Equatable {
        package var setup: GHCBSetup
        /// The run, or why there is none.
        package var run: Result<SetupRun, CommandFailure>

        /// What happened, where it ran.
        package var value: SetupRun? { try? run.get() }
    }

    package var guest: String
    package var vcpus: Int
    package var left: Column
    package var right: Column
    /// One for each vCPU; empty where one of the two did not run.
    package var traces: [TraceComparison]

    /// Whether the user stopped one of the runs.
    package var isInterrupted: Bool {
        [left, right].contains { $0.value?.ending == .interrupted }
    }

    init(guest: String, vcpus: Int, left: Column, right: Column) {
        (self.guest, self.vcpus, self.left, self.right) = (guest, vcpus, left, right)
        traces = []
        guard let first = left.value, let second = right.value else { return }
        let isCutOff = first.isCutOff || second.isCutOff
        for vcpu in 0..<min(first.traces.count, second.traces.count) {
            traces.append(
                TraceComparison(vcpu, first.traces[vcpu], second.traces[vcpu], isCutOff: isCutOff))
        }
    }
}

/// The VMGEXITs of one vCPU under two setups, side by side.
package struct TraceComparison: Sendable, Equatable {
    package var vcpu: Int
    /// Every place in order.
    package private(set) var entries: [Entry]
    /// Whether there could be more of them: a run was cut off, or not all were kept.
    var isPart: Bool
    /// VMGEXITs at the end that are not compared: they were not kept, or the other was cut off.
    package var left: Int
    package var right: Int

    /// Places between common ends that are aligned; memory grows with the square.
    private static let window = 1000

    init(_ vcpu: Int, _ left: SetupRun.Trace, _ right: SetupRun.Trace, isCutOff: Bool) {
        self.vcpu = vcpu
        var alignment = SequenceAlignment(
            left.exchanges, right.exchanges, window: Self.window, key: \.key, kind: \.kind)
        let rest = (
            left: left.count - left.exchanges.count, right: right.count - right.exchanges.count
        )
        isPart = isCutOff || rest.left > 0 || rest.right > 0
        let trimmed = isPart ? alignment.trimEnd() : (left: 0, right: 0)
        self.left = rest.left + trimmed.left
        self.right = rest.right + trimmed.right
        entries = Self.entries(alignment)
    }

    /// What became of one place.
    package enum Entry: Sendable, Equatable {
        case same(ComparedExchange, ComparedExchange)
        case changed(ComparedExchange, ComparedExchange, [FieldDifference])
        case removed(ComparedExchange)
        case added(ComparedExchange)
        case omitted(left: Int, right: Int)

        package var isSame: Bool { if case .same = self { true } else { false } }

        fileprivate init(_ left: ComparedExchange, _ right: ComparedExchange) {
            let fields = left.differences(from: right)
            self = fields.isEmpty ? .same(left, right) : .changed(left, right, fields)
        }
    }

    /// Every place in order; a request with another answer has changed.
    private static func entries(_ alignment: SequenceAlignment<ComparedExchange>) -> [Entry] {
        alignment.entries.map { entry in
            switch entry {
            case .paired(let left, let right), .changed(let left, let right):
                Entry(left, right)
            case .removed(let left): .removed(left)
            case .added(let right): .added(right)
            case .omitted(let left, let right): .omitted(left: left, right: right)
            }
        }
    }

    /// Whether nothing that is compared differs.
    package var isSame: Bool { entries.allSatisfy(\.isSame) }

    /// VMGEXITs that are compared, of either side.
    var compared: Int { entries.count }
}
