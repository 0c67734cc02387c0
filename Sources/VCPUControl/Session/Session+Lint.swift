// The lint rules, held against what the guest does.
extension Session {
    /// Reports what the rules find in an observation.
    func lint(_ observation: Observation) {
        setupFacts.observe(observation)
        let found = linter.observe(observation)
        findings += found
        for finding in found { report(.finding(finding)) }
    }

    /// HLT by the guest, or by the stub behind the guest's entry.
    func lintHalt(of vcpu: Int) {
        guard let rip = machine.registers(of: vcpu).value?[.rip] else { return }
        let place = GuestVirtualAddress(rip &- 1)
        lint(
            states[vcpu] == .returned
                ? .returned(vcpu: vcpu, rip: place) : .halted(vcpu: vcpu, rip: place))
    }

    /// What the rules need to know of the machine at a VMGEXIT.
    func lintContext(_ exchange: Exchange) -> VMGEXITContext {
        let isPrivate = exchange.ghcb.flatMap { machine.isPrivate($0.page).value }
        let mapping = isPrivate.map { $0 ? VMGEXITContext.Mapping.private : .shared } ?? .unknown
        let msrs = states.indices.map { vcpu -> UInt64? in
            guard states[vcpu] != .returned, states[vcpu] != .ended else { return nil }
            return machine.systemRegisters(of: vcpu).value?.ghcb
        }
        return VMGEXITContext(mapping: mapping, msrs: msrs)
    }
}

extension Linter {
    /// A linter for the VM of a launch on a machine; a strict one goes by the specification alone.
    init(_ origin: SessionOrigin, _ traits: MachineTraits, isStrict: Bool) {
        let plan = origin.plan
        let version = plan?.ghcbVersion ?? 2
        let model = HypervisorModel(
            ghcbVersion: version, cBit: plan?.cBit ?? 51, vcpus: plan?.vcpus.count ?? 1)
        self.init(
            VM(
                behaviour: isStrict ? .specification : plan?.hypervisor ?? .kvm,
                ghcbVersion: version, supportsXSS: model.supportsXSS,
                watchesResponses: traits.seesProtectedState,
                resetMSR: model.resetMSR))
    }
}
