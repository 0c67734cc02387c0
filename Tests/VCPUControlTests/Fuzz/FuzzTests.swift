import CNativeOracle
import Foundation
import Testing

@Suite("The emulator against the host's processor", .serialized)
struct FuzzTests {
    /// How many instructions are executed on both: `SEVDBG_FUZZ`.
    static let count = number("SEVDBG_FUZZ") ?? (isOptimized ? 1_000_000 : 20_000)
    /// Which ones: `SEVDBG_FUZZ_SEED`.
    static let seed = number("SEVDBG_FUZZ_SEED") ?? 1
    /// `SEVDBG_FUZZ_ONLY`: one number of the seed alone, to look at a mismatch.
    static let only = number("SEVDBG_FUZZ_ONLY")
    /// `SEVDBG_FUZZ_LIST`: how often each instruction was executed is printed.
    static let listsKinds = number("SEVDBG_FUZZ_LIST") != nil
    /// A run ends early after so many mismatches.
    static let mismatchLimit = 200

    static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    static var isOptimized: Bool {
        var isDebug = false
        assert(
            {
                isDebug = true
                return true
            }())
        return !isDebug
    }

    @Test(
        "random instructions do on the emulator what they do on the host",
        .enabled(
            if: oracle_is_supported(),
            "needs an Intel host with BMI2 and ADX: other processors differ where faults compete"))
    func differential() {
        guard var comparison = FuzzComparison(seed: Self.seed) else {
            Issue.record("the oracle's pages cannot be mapped")
            return
        }
        let start = ContinuousClock.now
        var number = Self.only ?? 0
        repeat {
            comparison.run(number)
            number += 1
        } while Self.only == nil && comparison.summary.executed < Self.count
            && comparison.summary.mismatches.count < Self.mismatchLimit
        report(comparison.summary, seconds: (ContinuousClock.now - start) / .seconds(1))
        #expect(comparison.summary.mismatches.isEmpty)
    }

    private func report(_ summary: FuzzComparison.Summary, seconds: Double) {
        print(
            "fuzz: seed \(Self.seed), \(summary.executed) instructions of \(summary.known.count) kinds,",
            "\(summary.faults) faults, \(Int(Double(summary.executed) / seconds)) a second")
        if Self.listsKinds {
            let kinds = summary.known.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
            print("fuzz: known:", kinds.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
            print("fuzz: not known:", summary.unknown.values.sorted().joined(separator: "; "))
        }
        for mismatch in summary.mismatches { print("fuzz:", mismatch) }
    }
}
