import Testing

@testable import VCPUControl

/// Whole guests with some mistakes among correct steps: each is found, and nothing else.
@Suite("Planted errors")
struct PlantedErrorTests {
    private static func options(_ setup: GHCBSetup) -> LaunchOptions {
        LaunchOptions(setup: setup)
    }

    /// Up to three mistakes of different rules, at random places among correct steps.
    private static func steps(_ random: inout FuzzRandom, mistakes: Int) -> [ProgramStep] {
        var steps = (0..<random.below(8) + 2).map { _ in random.pick(ProgramStep.correct) }
        var last: ProgramStep?
        var rules: Set<LintRule> = []
        while rules.count < mistakes {
            let mistake = random.pick(ProgramStep.mistakes)
            guard let rule = mistake.rule, !rules.contains(rule), !mistake.isLast || last == nil
            else { continue }
            rules.insert(rule)
            if mistake.isLast {
                last = mistake
            } else {
                steps.insert(mistake, at: random.below(steps.count))
            }
        }
        return steps + (last.map { [$0] } ?? [])
    }

    private static func program(
        _ steps: [ProgramStep], _ random: inout FuzzRandom
    ) -> GuestProgram {
        var source = random
        defer { random = source }
        return GuestProgram { program in
            for step in steps { step.body(&program, &source) }
        }
    }

    @Test("one to three mistakes in a guest are found by their rules, and nothing else")
    func planted() throws {
        for seed in 0..<UInt64(600) {
            var random = FuzzRandom(seed: seed)
            let steps = Self.steps(&random, mistakes: random.below(4))
            let setup = random.pick(GHCBSetup.allCases)
            let findings = try Self.program(steps, &random).findings(Self.options(setup))
            let expected = steps.compactMap(\.rule?.id).sorted()
            let found = findings.map(\.rule.id).sorted()
            guard found != expected else { continue }
            Issue.record("seed \(seed): planted \(expected), found \(findings.map(\.line))")
            return
        }
    }

    @Test("each mistake alone is found by its rule", arguments: ProgramStep.mistakes.indices)
    func alone(index: Int) throws {
        for seed in 0..<UInt64(12) {
            var random = FuzzRandom(seed: seed)
            let mistake = ProgramStep.mistakes[index]
            let rest = mistake.isLast ? [] : [ProgramStep.correct[0]]
            let findings = try Self.program([mistake] + rest, &random)
                .findings(Self.options(.trampoline))
            #expect(findings.map(\.rule) == [mistake.rule], "\(findings.map(\.line))")
        }
    }

    @Test("every rule that one vCPU can break by itself, without an IDT of its own, is planted")
    func coverage() {
        let elsewhere: Set<LintRule> = [
            .sharedBetweenVCPUs, .registersNotPreserved, .vcFrameCorrupt, .undefinedAnswer,
            .pageNotTaken,
        ]
        let planted = Set(ProgramStep.mistakes.compactMap(\.rule))
        #expect(planted.union(elsewhere) == Set(LintRule.allCases))
    }
}
