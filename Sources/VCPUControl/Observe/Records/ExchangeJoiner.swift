/// Joins the two sides of VMGEXITs, as tracepoints show them, to exchanges.
///
/// A vCPU's thread makes one VMGEXIT after the other, so a response belongs to the last request of its
/// thread. Records may be missing: what cannot be joined is counted, never guessed.
package struct ExchangeJoiner: Sendable {
    private var open: [UInt32: TracepointRecord.Side] = [:]
    private let model: HypervisorModel
    /// Requests and responses that had no other side.
    package private(set) var unjoined = 0

    /// Starts with nothing open.
    ///
    /// - Parameters:
    ///   - ghcbVersion: the highest protocol version that the VM offers.
    ///   - cBit: the position of the C-bit.
    package init(ghcbVersion: Int, cBit: Int) {
        model = HypervisorModel(ghcbVersion: ghcbVersion, cBit: cBit, vcpus: 1)
    }

    /// Takes a record.
    ///
    /// - Returns: what it completes.
    package mutating func take(_ record: TracepointRecord) -> [Exchange] {
        switch record {
        case .request(let side):
            let left = open.removeValue(forKey: side.thread).flatMap { abandoned($0) }
            if side.isTermination, let exchange = ended(side) {
                return [left, exchange].compactMap { $0 }
            }
            open[side.thread] = side
            return left.map { [$0] } ?? []
        case .response(let side):
            guard let request = open.removeValue(forKey: side.thread),
                let exchange = Exchange(request, answer: side)
            else {
                unjoined += 1
                return []
            }
            return [exchange]
        case .access: return []
        }
    }

    /// What still has no answer when nothing more comes: the requests that end a VM.
    package mutating func finish() -> [Exchange] {
        defer { open = [:] }
        return open.sorted { $0.key < $1.key }.compactMap { abandoned($0.value) }
    }

    /// The exchange of a request whose answer never came.
    private mutating func abandoned(_ side: TracepointRecord.Side) -> Exchange? {
        if let exchange = ended(side) { return exchange }
        unjoined += 1
        return nil
    }

    /// The exchange, if KVM ends the VM for such a request.
    private func ended(_ side: TracepointRecord.Side) -> Exchange? {
        var (model, memory) = (model, OnePage(address: side.msr, page: side.page))
        let request = HypervisorModel.Request(
            vcpu: side.vcpu, rip: GuestVirtualAddress(0), msr: side.msr, tsc: 0)
        guard case .end(var exchange) = model.vmgexit(request, memory: &memory) else { return nil }
        exchange.rip = .hidden(.protected)
        (exchange.requestSource, exchange.responseSource) = (.tracepoint, .tracepoint)
        return exchange
    }
}

extension TracepointRecord.Side {
    /// Whether the guest asks for its end, which has no answer.
    fileprivate var isTermination: Bool {
        guard let page else {
            if case .terminationRequest = GHCBMSR(rawValue: msr) { return true }
            return false
        }
        return ExitCode(page.raw(.swExitCode)) == .termination
    }
}

extension Exchange {
    /// `nil` where the sides do not fit: another protocol, or the response lacks what KVM adds to it.
    fileprivate init?(_ request: TracepointRecord.Side, answer: TracepointRecord.Side) {
        let (content, outcome): (Content, Outcome)
        switch (request.page, answer.page, answer.registers) {
        case (let page?, var response?, let registers?):
            // KVM writes these behind the tracepoint, asked for or not (REFERENCE 1a, step 6).
            for (register, field) in PageExchange.outputs {
                response.set(field, to: registers[register])
            }
            content = .page(request: page, response: response)
            outcome = Outcome(response: response)
        case (nil, nil, _):
            content = .msr(response: answer.msr)
            outcome = answer.msr == request.msr ? .unanswered : .ok
        default: return nil
        }
        self.init(
            vcpu: request.vcpu, rip: GuestVirtualAddress(0), msr: request.msr, content: content,
            outcome: outcome)
        rip = .hidden(.protected)
        (requestSource, responseSource) = (.tracepoint, .tracepoint)
    }
}

extension Exchange.Outcome {
    /// What SW_EXITINFO1 and 2 of an answer say.
    fileprivate init(response: GHCBPage) {
        let info2 = response.raw(.swExitInfo2)
        switch response.raw(.swExitInfo1) & 0xffff_ffff {
        case 1: self = .exception(eventInjection: info2)
        case 2: self = .malformed(reason: info2)
        // 0; the specification gives no other value a meaning.
        default: self = .ok
        }
    }
}

/// Guest memory of which only the GHCB is known.
private struct OnePage: HostMemory {
    var address: UInt64
    var page: GHCBPage?

    func read(_ address: GuestPhysicalAddress, count: Int) -> [UInt8]? {
        guard let page, address.page.rawValue == self.address,
            count >= 0, count <= GHCBPage.size - address.offset
        else { return nil }
        return Array(page.bytes[address.offset..<address.offset + count])
    }

    func write(_ bytes: [UInt8], to address: GuestPhysicalAddress) -> Bool { false }
}
