import Testing
import VCPUControl

/// A VM with a linter: requests go through the model, and their exchanges to the rules.
final class LintHarness {
    let harness: GHCBHarness
    var linter: Linter
    var sequence = 0
    var rip: UInt64 = 0x100123
    var mapping = VMGEXITContext.Mapping.shared
    var msrs: [UInt64?] = []

    init(version: Int = 2, behaviour: HypervisorBehaviour = .kvm, xss: Bool = false) {
        harness = GHCBHarness(version: version)
        linter = Linter(
            Linter.VM(
                behaviour: behaviour, ghcbVersion: version, supportsXSS: xss,
                watchesResponses: true, resetMSR: harness.model.resetMSR))
    }

    var msr: UInt64 {
        get { harness.msr }
        set { harness.msr = newValue }
    }

    /// One VMGEXIT with this page to its end.
    func exit(_ page: GHCBPage, vcpu: Int = 0) -> [Finding] {
        finish(harness.vmgexit(page, vcpu: vcpu), vcpu)
    }

    /// One VMGEXIT with what is in the MSR.
    func exit(msr: UInt64, vcpu: Int = 0) -> [Finding] {
        finish(harness.vmgexit(msr: msr, vcpu: vcpu), vcpu)
    }

    /// The answer goes where the guest finds it; each exchange is made by another instruction.
    private func finish(_ first: HypervisorModel.Step, _ vcpu: Int) -> [Finding] {
        var step = first
        for _ in 0..<64 where step.resumed == nil && step.ended == nil {
            step = harness.complete([0x5a], vcpu: vcpu)
        }
        guard var exchange = step.resumed ?? step.ended else { return [] }
        sequence += 1
        rip += 8
        exchange.rip = .known(GuestVirtualAddress(rip), from: .direct)
        if let page = exchange.responsePage {
            _ = harness.memory.write(page.bytes, to: .init(exchange.msr))
        }
        let context = VMGEXITContext(mapping: mapping, msrs: msrs)
        return linter.observe(.exchange(sequence: sequence, exchange, context))
    }

    func write(msr value: UInt64, vcpu: Int = 0) -> [Finding] {
        rip += 8
        return linter.observe(.ghcbMSRWrite(vcpu: vcpu, rip: .init(rip), value: value))
    }

    /// The page as the guest finds it.
    var page: GHCBPage {
        GHCBPage(harness.memory.read(.init(msr), count: GHCBPage.size) ?? []) ?? GHCBPage()
    }
}

extension GHCBPage {
    /// A correct request: version 1, which every VM offers.
    static func correct(
        _ code: ExitCode, _ info1: UInt64 = 0, _ info2: UInt64 = 0,
        _ fields: [GHCBField: UInt64] = [:]
    ) -> GHCBPage {
        request(code, info1, info2, fields.merging([.protocolVersion: 1]) { _, new in new })
    }

    func without(_ field: GHCBField) -> GHCBPage {
        var page = self
        page.invalidate(field)
        return page
    }

    func with(_ field: GHCBField, _ value: UInt64) -> GHCBPage {
        var page = self
        page.set(field, to: value)
        return page
    }
}

extension [Finding] {
    var rules: [LintRule] { map(\.rule) }
}
