// The GHCB MSR: what the guest writes to it, and VMGEXITs of the MSR protocol.

extension Linter {
    mutating func judgeMSRWrite(
        _ value: UInt64, _ vcpu: Int, _ rip: GuestVirtualAddress
    ) -> [Finding] {
        let rules = MSRRules(value: value, vm: vm)
        let isWrong = rules.isMisalignedAddress || isForgedAnswer(rules, vcpu)
        let abandoned = abandonedTermination("writes \(value.hex) to it", vcpu)
        var history = vcpus[vcpu] ?? .init()
        history.condemn(isWrong ? [value] : [])
        history.pendingTermination = rules.isTermination ? .init(value: value, rip: rip) : nil
        vcpus[vcpu] = history
        return report(abandoned + (isWrong ? [rules.misalignment] : []), vcpu, rip)
    }

    /// An answer may be put back, as SVSM does; one that was never there is no answer.
    private func isForgedAnswer(_ rules: MSRRules, _ vcpu: Int) -> Bool {
        rules.isResponse && rules.value != vm.resetMSR
            && vcpus[vcpu]?.answers.contains(rules.value) != true
    }

    mutating func msrBreaches(_ exchange: Exchange, _ response: UInt64?) -> [Breach] {
        let rules = MSRRules(value: exchange.msr, vm: vm)
        var history = vcpus[exchange.vcpu] ?? .init()
        defer { vcpus[exchange.vcpu] = history }
        let isKnown = history.condemned.contains(exchange.msr)
        if !isKnown { history.condemn(rules.isRequest ? [] : [exchange.msr]) }
        if let response, response != exchange.msr {
            history.keep(answer: response)
            if !history.condemned.isEmpty { history.condemn(answer: response) }
        }
        if isKnown { return [] }
        if rules.isMisalignedAddress { return [rules.misalignment] }
        guard rules.isResponse else { return rules.requestBreaches }
        let name = GHCBMSR(rawValue: exchange.msr).name
        let isUntouched = exchange.msr == vm.resetMSR && !history.answers.contains(vm.resetMSR)
        let origin = isUntouched ? ", its value at reset" : ""
        return [
            Breach(.staleMSR, "the GHCB MSR still holds \(exchange.msr.hex) (\(name))\(origin)")
        ]
    }
}

// MARK: - Termination

extension Linter {
    /// The vCPU stops for good, or for an interrupt that will not come.
    mutating func judgeStop(
        _ what: String, _ vcpu: Int, _ rip: GuestVirtualAddress
    ) -> [Finding] {
        let abandoned = abandonedTermination(what, vcpu)
        vcpus[vcpu]?.pendingTermination = nil
        return report(abandoned, vcpu, rip)
    }

    private func abandonedTermination(_ next: String, _ vcpu: Int) -> [Breach] {
        guard let write = vcpus[vcpu]?.pendingTermination,
            case .terminationRequest(let reason) = GHCBMSR(rawValue: write.value)
        else { return [] }
        return [
            Breach(
                .terminateWithoutVMGEXIT,
                "\(write.value.hex) (termination, \(reason.text)) is in the GHCB MSR since"
                    + " \(write.rip.rawValue.hex), and the guest \(next)")
        ]
    }
}
