// What is wrong with an exchange in the light of those before it and of the other vCPUs.

extension Linter {
    mutating func judge(
        _ exchange: Exchange, _ sequence: Int, _ context: VMGEXITContext
    ) -> [Finding] {
        let vcpu = exchange.vcpu
        let ignored = ignoredResponse(vcpu)
        if vcpus[vcpu]?.pendingTermination != nil { vcpus[vcpu]?.pendingTermination = nil }
        let ucall = ucallBreaches(exchange)
        let breaches =
            switch exchange.content {
            case .page(let page, let response):
                pageBreaches(exchange, page, response, context)
            case .msr(let response): msrBreaches(exchange, response)
            case .noPage: [Self.unset(exchange.msr)]
            }
        remember(exchange, sequence, breaches)
        return ignored + report(ucall + breaches, vcpu, exchange.rip, sequence)
    }

    private static func unset(_ msr: UInt64) -> Breach {
        let place = msr == 0 ? "no page" : "no RAM there"
        return Breach(.ghcbUnset, "the GHCB MSR is \(msr.hex): \(place)")
    }
}

// MARK: - The page protocol

extension Linter {
    private mutating func pageBreaches(
        _ exchange: Exchange, _ page: GHCBPage, _ response: GHCBPage?, _ context: VMGEXITContext
    ) -> [Breach] {
        let shared = sharing(exchange, context)
        guard context.mapping != .private else {
            // The host sees scrambled bytes: nothing in them is the guest's.
            pages[exchange.msr] = nil
            return shared + [Breach(.ghcbNotShared, "the GHCB at \(exchange.msr.hex) is private")]
        }
        let rules = PageRules(page, ghcb: exchange.msr, vm: vm)
        let isTorn = isTorn(exchange)
        var breaches = rules.breaches.filter {
            !isTorn || !Self.needsWholeRequest.contains($0.rule)
        }
        let extra = extraBreach(rules, at: exchange.msr)
        if let extra, !isTorn { breaches.append(extra) }
        remember(page: exchange, rules, response, marksTooMuch: extra?.rule == .unexpectedValid)
        breaches += answerBreaches(exchange, page, response)
        return shared + breaches + Self.failure(exchange, breaches)
    }

    /// Where two vCPUs have the page and the other one used it last, a request may be of both.
    private func isTorn(_ exchange: Exchange) -> Bool {
        guard sharedPages.contains(exchange.msr), let last = pages[exchange.msr] else {
            return false
        }
        return last.vcpu != exchange.vcpu
    }

    private static let needsWholeRequest: Set<LintRule> = [
        .missingInput, .cpuidNeedsXCR0, .cpuidNeedsXSS,
    ]

    /// The one finding for fields that are valid and need not be.
    private func extraBreach(_ rules: PageRules, at ghcb: UInt64) -> Breach? {
        let extras = rules.extras
        guard !extras.isEmpty else { return nil }
        let stale = staleBits(extras, rules, at: ghcb)
        let fresh = extras.subtracting(stale)
        guard fresh.isEmpty else { return Self.unexpected(fresh, rules) }
        guard pages[ghcb]?.selfMarked.contains(stale) != true else {
            return Self.unexpected(stale, rules)
        }
        guard !isContinued(rules, at: ghcb) else { return nil }
        let fact = "\(rules.name): \(rules.names(of: stale)) valid as the last exchange left them"
        return Breach(.staleRequest, fact, key: "")
    }

    private static func unexpected(_ bits: ValidBitmap, _ rules: PageRules) -> Breach {
        let fact = "\(rules.name) does not need \(rules.names(of: bits)), marked valid"
        return Breach(.unexpectedValid, fact, key: "\(rules.name) \(bits.bits)")
    }

    /// The bits that the last answer had set, over the same value.
    private func staleBits(
        _ bits: ValidBitmap, _ rules: PageRules, at ghcb: UInt64
    ) -> ValidBitmap {
        guard let last = pages[ghcb]?.response else { return ValidBitmap() }
        let both = bits.intersection(last.validBitmap).positions
        return both.filter { last.raw(bit: $0) == rules.page.raw(bit: $0) }
            .reduce(into: ValidBitmap()) { $0.bits |= 1 << UInt128($1) }
    }

    /// The next part of one INS or OUTS: OVMF sends them all without clearing the bitmap between.
    private func isContinued(_ rules: PageRules, at ghcb: UInt64) -> Bool {
        guard vm.behaviour == .kvm, rules.code == .ioio, let last = pages[ghcb] else {
            return false
        }
        let info1 = rules.page.raw(.swExitInfo1)
        return last.code == .ioio && last.info1 == info1 && IOIOInfo(rawValue: info1).isString
    }

    private mutating func remember(
        page exchange: Exchange, _ rules: PageRules, _ response: GHCBPage?, marksTooMuch: Bool
    ) {
        guard let response else { return }
        if pages.count >= Self.memoryLimit { pages = [:] }
        let old = pages[exchange.msr]?.selfMarked ?? ValidBitmap()
        pages[exchange.msr] = PageHistory(
            response: response, code: rules.code, info1: rules.page.raw(.swExitInfo1),
            vcpu: exchange.vcpu,
            selfMarked: marksTooMuch ? old.union(rules.page.validBitmap) : ValidBitmap())
    }

    /// A scratch area behind which no RAM is: only the attempt shows it.
    private static func failure(_ exchange: Exchange, _ breaches: [Breach]) -> [Breach] {
        guard breaches.allSatisfy({ $0.rule != .scratchOutsideBuffer }) else { return [] }
        switch exchange.outcome {
        case .terminated(.runFailed(errno: HypervisorModel.badAddress, let text)):
            return [Breach(.scratchOutsideBuffer, text)]
        case .malformed(MalformedReason.invalidScratchArea.rawValue)
        where exchange.scratchLength <= HypervisorModel.scratchLimit:
            let start = exchange.requestPage?.raw(.swScratch) ?? 0
            return [
                Breach(
                    .scratchOutsideBuffer,
                    "\(exchange.name) (\(exchange.codeText)): SW_SCRATCH is \(start.hex), where no"
                        + " RAM is")
            ]
        default: return []
        }
    }
}

// MARK: - Other vCPUs

extension Linter {
    /// The page is reported once, however many exits are made with it.
    private mutating func sharing(
        _ exchange: Exchange, _ context: VMGEXITContext
    ) -> [Breach] {
        let others = context.msrs.indices.filter {
            $0 != exchange.vcpu && context.msrs[$0] == exchange.msr
        }
        guard !others.isEmpty else { return [] }
        if sharedPages.count > Self.memoryLimit { sharedPages = [] }
        guard sharedPages.insert(exchange.msr).inserted else { return [] }
        let names = others.prefix(8).map(String.init).joined(separator: ", ")
        let fact =
            "vCPU \(exchange.vcpu) and vCPU \(names) both have the GHCB at \(exchange.msr.hex)"
        return [Breach(.sharedBetweenVCPUs, fact, key: exchange.msr.hex)]
    }
}

// MARK: - Answers

extension Linter {
    /// The answer that the vCPU goes past with this VMGEXIT.
    private mutating func ignoredResponse(_ vcpu: Int) -> [Finding] {
        guard let unread = vcpus[vcpu]?.unread else { return [] }
        vcpus[vcpu]?.unread = nil
        let breach = Breach(.responseIgnored, unread.fact, key: "")
        return report([breach], vcpu, unread.rip, unread.sequence)
    }

    /// Keeps an answer that the guest has to look at, unless a finding explains it already.
    private mutating func remember(
        _ exchange: Exchange, _ sequence: Int, _ breaches: [Breach]
    ) {
        guard vm.watchesResponses, let response = exchange.responsePage else { return }
        let info1 = UInt32(truncatingIfNeeded: response.raw(.swExitInfo1))
        guard info1 == 1 || info1 == 2, breaches.allSatisfy({ $0.rule.severity != .error }) else {
            return
        }
        let fact =
            "\(exchange.name) (\(exchange.codeText)) was answered with SW_EXITINFO1"
            + " \(info1.hex), and the next VMGEXIT comes before anybody read it"
        vcpus[exchange.vcpu, default: .init()].unread =
            .init(sequence: sequence, rip: exchange.rip, fact: fact)
    }
}
