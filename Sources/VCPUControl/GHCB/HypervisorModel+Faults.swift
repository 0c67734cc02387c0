// What a hypervisor with a fault does differently; without faults nothing here has an effect.

extension HypervisorModel {
    /// A step as it is with the faults that spoil answers.
    func spoiled(_ step: Step) -> Step {
        guard faults.contains(.keepsExitInfo1), case .resume(var exchange) = step,
            exchange.outcome == .ok, case .page(let request, var response?) = exchange.content
        else { return step }
        response.setRaw(.swExitInfo1, to: request.raw(.swExitInfo1))
        exchange.content = .page(request: request, response: response)
        return .resume(exchange)
    }

    /// Answers at the page that this vCPU had first, if that is not the one that it has now.
    ///
    /// What is found there is done as for any request, but for accesses that userspace would have
    /// to answer: those end there. The page that the MSR names stays as the guest left it.
    mutating func answerAtFirstPage(
        _ request: Request, _ page: GHCBPage, memory: inout some HostMemory
    ) -> Step? {
        guard faults.contains(.keepsFirstGHCB) else { return nil }
        let first = firstPages[request.vcpu] ?? request.msr
        firstPages[request.vcpu] = first
        guard first != request.msr, let old = GHCBPage(at: first, in: memory) else { return nil }
        var misdirected = request
        misdirected.msr = first
        let step = pageProtocol(PageExchange(misdirected, old, behaviour), memory: &memory)
        open[request.vcpu] = nil
        switch step {
        case .end: return step
        case .io(_, let page), .mmio(_, let page):
            _ = memory.write(page.bytes, to: GuestPhysicalAddress(first))
        case .resume(let exchange):
            let answer = exchange.responsePage?.bytes ?? []
            _ = memory.write(answer, to: GuestPhysicalAddress(first))
        case .apResetHold: break
        }
        return .resume(Exchange(request, .page(request: page, response: page), .unanswered))
    }
}
