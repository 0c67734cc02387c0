/// What a guest did from its launch to its end, as far as machines have to agree on it.
struct GuestAccount: Equatable {
    /// One VMGEXIT.
    struct Request: Equatable {
        /// The code, and what the guest asked: what every host sees.
        var text: String
        /// With all fields and the answer: what only a host sees that is told of it.
        var summary: String
    }

    /// Console output of each vCPU.
    private var console: [Int: [UInt8]] = [:]
    private var requests: [Int: [Request]] = [:]
    private var end: String?

    /// Whether a vCPU has ended the VM for all.
    var endsVM: Bool { end?.hasPrefix(End.Reason.terminated.rawValue) ?? false }

    /// More stops than a guest makes that goes on behind them.
    private static let stops = 1000

    /// Runs the guest to its end, or to where it cannot go on.
    init(_ guest: ExaminedGuest) {
        var isStopped = false
        for _ in 0..<Self.stops where guest.session.end == nil && !isStopped {
            do throws(ConformanceFailure) {
                for event in try guest.run("continue") { isStopped = take(event) || isStopped }
            } catch {
                end = error.text
                isStopped = true
            }
        }
    }

    /// - Returns: whether the guest cannot go on.
    private mutating func take(_ event: SessionEvent) -> Bool {
        switch event {
        case .console(let vcpu, let bytes): console[vcpu, default: []] += bytes
        case .vmgexit(_, let exchange):
            requests[exchange.vcpu, default: []].append(Request(exchange))
        case .end(let end):
            self.end = self.end ?? end.reason.rawValue + (end.termination.map { " \($0)" } ?? "")
        case .stop(let stop) where stop.reason == .interrupted || stop.reason == .unimplemented:
            end = "does not end: \(stop.reason.rawValue)"
            return true
        default: break
        }
        return false
    }

    /// The first difference, in words.
    ///
    /// - Parameters:
    ///   - reference: what it should have been.
    ///   - seesAll: whether every VMGEXIT is told of; else those that are have to be among the
    ///     reference's, in its order.
    /// - Returns: `nil` where there is none.
    func difference(from reference: GuestAccount, seesAll: Bool) -> String? {
        if end != reference.end {
            return "ends with \(end ?? "nothing"), not with \(reference.end ?? "nothing")"
        }
        if console != reference.console { return "prints something else" }
        for (vcpu, wanted) in reference.requests {
            let seen = requests[vcpu] ?? []
            if seesAll, seen != wanted { return Self.difference(seen, wanted, vcpu) }
            if let stray = Self.stray(seen.map(\.text), in: wanted.map(\.text)) {
                return "vCPU \(vcpu) makes a VMGEXIT out of order: \(stray)"
            }
        }
        return requests.keys.first { reference.requests[$0] == nil }
            .map { "vCPU \($0) makes a VMGEXIT" }
    }

    private static func difference(
        _ seen: [Request], _ wanted: [Request], _ vcpu: Int
    ) -> String {
        guard let index = zip(seen, wanted).enumerated().first(where: { $1.0 != $1.1 })?.offset
        else { return "vCPU \(vcpu) makes \(seen.count) VMGEXITs, not \(wanted.count)" }
        return "VMGEXIT \(index) of vCPU \(vcpu) is \(seen[index].summary), not"
            + " \(wanted[index].summary)"
    }

    /// The first that does not follow in `wanted`, with others between.
    private static func stray(_ seen: [String], in wanted: [String]) -> String? {
        var rest = wanted[...]
        for text in seen {
            guard let place = rest.firstIndex(of: text) else { return text }
            rest = rest[(place + 1)...]
        }
        return nil
    }
}

extension GuestAccount.Request {
    init(_ exchange: Exchange) {
        summary = exchange.summary
        guard case .page = exchange.content else {
            text = "MSR \(exchange.msr.hex)"
            return
        }
        // Of a port access the exit tells neither the segment nor the width of addresses.
        let isPort = exchange.exitCode == .ioio
        let info1 = isPort ? exchange.info1 & ~0x1f80 : exchange.info1
        text = "\(exchange.name) \(info1.hex) \(exchange.info2.hex)"
    }
}
