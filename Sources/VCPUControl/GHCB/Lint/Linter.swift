/// Holds what the guest does against the rules: a value, fed with observations in their order.
///
/// It never looks at anything itself, so it can be copied with a session's history and run again.
/// What it keeps is bounded, whatever the guest does.
package struct Linter: Sendable {
    /// What the rules need to know of the VM.
    package struct VM: Sendable, Equatable {
        package var behaviour: HypervisorBehaviour
        /// The highest protocol version that the VM offers, 1 or 2.
        package var ghcbVersion: Int
        /// Whether CPUID offers XSAVES, and with it XSS.
        package var supportsXSS: Bool
        /// Whether the machine reports `Observation.responseRead`.
        package var watchesResponses: Bool
        /// What the GHCB MSR holds at reset.
        package var resetMSR: UInt64

        package init(
            behaviour: HypervisorBehaviour = .kvm, ghcbVersion: Int = 2, supportsXSS: Bool = false,
            watchesResponses: Bool = false, resetMSR: UInt64
        ) {
            self.behaviour = behaviour
            self.ghcbVersion = ghcbVersion
            self.supportsXSS = supportsXSS
            self.watchesResponses = watchesResponses
            self.resetMSR = resetMSR
        }
    }

    package let vm: VM
    var vcpus: [Int: VCPUHistory] = [:]
    /// By guest physical address: a page may go from one vCPU to another.
    var pages: [UInt64: PageHistory] = [:]
    /// The pages that two vCPUs have been found to have at once.
    var sharedPages: Set<UInt64> = []
    private var reported: Set<Key> = []

    package init(_ vm: VM) { self.vm = vm }

    /// Takes one observation.
    ///
    /// - Returns: what is wrong with it; an error that was reported before is not reported again.
    package mutating func observe(_ observation: Observation) -> [Finding] {
        switch observation {
        case .exchange(let sequence, let exchange, let context):
            return judge(exchange, sequence, context)
        case .ghcbMSRWrite(let vcpu, let rip, let value):
            return judgeMSRWrite(value, vcpu, rip)
        case .responseRead(let vcpu):
            vcpus[vcpu]?.unread = nil
            return []
        case .entered(let vcpu, let rip, let expected, let found):
            return report(Self.lostArguments(expected, found), vcpu, rip)
        case .vcDelivered(let vcpu, let errorCode, let place):
            vcpus[vcpu, default: .init()].push(.init(errorCode: errorCode, place: place))
            return []
        case .interruptReturn(let vcpu, let rip, let stack, let target):
            return judgeReturn(vcpu, rip, stack, target)
        case .halted(let vcpu, let rip): return judgeStop("executes HLT", vcpu, rip)
        case .returned(let vcpu, let rip): return judgeStop("returns", vcpu, rip)
        }
    }
}

// MARK: - Reporting

extension Linter {
    /// Two breaches with the same key are one error.
    private struct Key: Hashable {
        let rule: LintRule
        let vcpu: Int
        /// `nil` for what is wrong with the setup, wherever it shows.
        let rip: Reading<GuestVirtualAddress>?
        let text: String
    }

    private static let setupRules: Set<LintRule> = [
        .usageNonzero, .versionUnsupported, .ghcbUnset, .ghcbNotShared, .sharedBetweenVCPUs,
        .staleRequest, .undefinedAnswer, .pageNotTaken,
    ]

    /// How many errors are remembered as reported.
    static let memoryLimit = 4096

    /// Makes findings of breaches by an instruction that the machine saw.
    mutating func report(
        _ breaches: [Breach], _ vcpu: Int, _ rip: GuestVirtualAddress
    ) -> [Finding] {
        report(breaches, vcpu, .known(rip, from: .direct), nil)
    }

    /// Makes findings of breaches, each error once.
    mutating func report(
        _ breaches: [Breach], _ vcpu: Int, _ rip: Reading<GuestVirtualAddress>, _ sequence: Int?
    ) -> [Finding] {
        guard !breaches.isEmpty else { return [] }
        if reported.count > Self.memoryLimit { reported = [] }
        return breaches.filter { breach in
            let isSetup = Self.setupRules.contains(breach.rule)
            let key = Key(
                rule: breach.rule, vcpu: vcpu, rip: isSetup ? nil : rip, text: breach.key)
            return reported.insert(key).inserted
        }.map {
            Finding(
                $0.rule, vcpu: vcpu, rip: rip, sequence: sequence, severity: $0.severity, $0.fact)
        }
    }
}
