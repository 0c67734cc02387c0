/// VMGEXITs: the hypervisor model answers, the machine puts its answers where the guest finds them.
///
/// Unsafe: reaches the vCPUs in place.
extension EmulatedMachine {
    /// Hands a VMGEXIT to the hypervisor model.
    func exchange(of number: Int) -> VCPUExit {
        guest.forgetResponses(to: number)
        var memory = HostView(guest: guest)
        let request = HypervisorModel.Request(
            vcpu: number, rip: .init(unsafe vcpus[number].rip &- 4),
            msr: unsafe vcpus[number].system.ghcb, tsc: unsafe vcpus[number].timeStamp,
            tscAux: UInt32(truncatingIfNeeded: unsafe vcpus[number].msrs.tscAux))
        return carryOut(hypervisor.vmgexit(request, memory: &memory), of: number)
    }

    /// Goes on with what the last run has left open, before anything else.
    func finishExchange(
        _ scope: RunScope
    ) throws(MachineError) -> (vcpu: Int, exit: VCPUExit)? {
        for number in 0..<vcpuCount {
            if case .one(let only) = scope, only != number { continue }
            switch activities[number] {
            case .waiting(let bytes):
                throw .refused(
                    "vCPU \(number) waits for the answer to its access of \(bytes) bytes: "
                        + "complete it before running on")
            case .answered(let step):
                stoodStill = nil
                activities[number] = .running
                return (number, carryOut(step, of: number))
            case .failed(let text):
                endAll()
                return (number, .shutdown(text))
            default: continue
            }
        }
        return nil
    }

    package func complete(_ vcpu: Int, with data: [UInt8]) throws(MachineError) {
        let number = try checked(vcpu)
        guard case .waiting(let bytes) = activities[number] else {
            throw .refused("vCPU \(vcpu) has no access to complete")
        }
        guard data.count == bytes else {
            throw .refused(
                "the access of vCPU \(vcpu) takes \(bytes) bytes, not \(data.count)")
        }
        var memory = HostView(guest: guest)
        let step = hypervisor.complete(vcpu: number, data: data, memory: &memory)
        activities[number] = .answered(step)
    }

    /// Does what the model asks for, and says how the run ends.
    private func carryOut(_ step: HypervisorModel.Step, of number: Int) -> VCPUExit {
        switch step {
        case .resume(let exchange):
            respond(exchange)
            return .vmgexit(seen(exchange))
        case .io(let access, let page):
            write(page, of: number)
            activities[number] = .waiting(bytes: access.isInput ? access.size * access.count : 0)
            return .io(access)
        case .mmio(let access, let page):
            write(page, of: number)
            activities[number] = .waiting(bytes: access.isRead ? access.length : 0)
            return .mmio(access)
        case .apResetHold:
            activities[number] = .held
            return .apResetHold
        case .end(let exchange):
            respond(exchange)
            endAll()
            return .vmgexit(seen(exchange))
        }
    }

    /// The exchange as the host sees it: under SEV-ES without RIP, and of the request what a
    /// tracepoint showed before KVM wiped the page.
    private func seen(_ exchange: Exchange) -> Exchange {
        guard visibility == .hardware else { return exchange }
        var exchange = exchange
        exchange.rip = .hidden(.protected)
        exchange.requestSource = .tracepoint
        return exchange
    }

    /// Puts the response into the GHCB or its MSR, and raises what KVM injects by itself.
    private func respond(_ exchange: Exchange) {
        let number = exchange.vcpu
        guard number >= 0, number < vcpuCount else { return }
        switch exchange.content {
        case .page(_, let response?):
            write(response, of: number)
            watch(response, of: number)
            if exchange.exitCode == .nmiComplete { nmis[number].isMasked = false }
            inject(exchange.injectedEvent, into: number)
        case .msr(let response?): unsafe vcpus[number].system.ghcb = response
        default: break
        }
    }

    /// The GHCB is written by the host: a page that the guest uses as private is not flipped.
    private func write(_ page: GHCBPage, of number: Int) {
        let address = unsafe vcpus[number].system.ghcb
        _ = guest.write(page.bytes, to: address, as: .shared)
    }

    /// Watches whether the guest looks at an answer that is not plain success.
    private func watch(_ response: GHCBPage, of number: Int) {
        let info1 = UInt32(truncatingIfNeeded: response.raw(.swExitInfo1))
        guard info1 == 1 || info1 == 2 else { return }
        let page = Int(truncatingIfNeeded: unsafe vcpus[number].system.ghcb >> 12)
        guest.watchResponse(inPage: page, to: number)
    }

    /// Delivers an exception that KVM injects into the guest (RDTSCP: #UD).
    private func inject(_ event: EventInjection?, into number: Int) {
        guard let event else { return }
        let fault = Fault(
            vector: event.vector.rawValue, errorCode: event.errorCode.map(UInt64.init))
        if case .shutdown(let text) = unsafe vcpus[number].deliver(fault) {
            activities[number] = .failed(text)
        }
    }
}
