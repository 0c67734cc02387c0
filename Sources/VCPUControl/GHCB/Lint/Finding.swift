/// One breach of a rule: the record `finding` of DESIGN 4.
package struct Finding: Sendable, Hashable {
    package var rule: LintRule
    /// The rule's, or a note where KVM lets pass what the specification forbids.
    package var severity: LintRule.Severity
    package var vcpu: Int
    /// The VMGEXIT, or the instruction that broke the rule.
    package var rip: Reading<GuestVirtualAddress>
    /// The number of the exchange; `nil` where the finding belongs to none.
    package var sequence: Int?
    /// Field and value, and what to do.
    package var message: String

    /// The finding in one line: `error missing-input at 0x100123, #3: RCX is …`.
    package var line: String {
        let exchange = sequence.map { ", #\($0)" } ?? ""
        return "\(severity.rawValue) \(rule.id) at \(rip.text)\(exchange): \(message)"
    }

    package var spec: String { rule.spec }

    /// Makes a finding from what is wrong; the rule adds what to do.
    package init(
        _ rule: LintRule, vcpu: Int, rip: Reading<GuestVirtualAddress>, sequence: Int? = nil,
        severity: LintRule.Severity? = nil, _ fact: String
    ) {
        self.rule = rule
        self.severity = severity ?? rule.severity
        self.vcpu = vcpu
        self.rip = rip
        self.sequence = sequence
        message = fact + "; " + rule.advice
    }
}
