// What is wrong with the hypervisor's answer, as far as the exchange itself shows it.

extension Linter {
    /// Keeps where a vCPU was answered, and judges an answer that no hypervisor may give.
    ///
    /// A page that several vCPUs use, or that the request's own data overwrites, may hold anything.
    mutating func answerBreaches(
        _ exchange: Exchange, _ page: GHCBPage, _ response: GHCBPage?
    ) -> [Breach] {
        guard let response, !sharedPages.contains(exchange.msr),
            !Self.overwritesPage(exchange, page)
        else { return [] }
        // KVM takes the mark from SW_EXITCODE with all others, and never sets it.
        guard !response.isValid(.swExitCode) || response != page else {
            return [notTaken(exchange)]
        }
        vcpus[exchange.vcpu, default: .init()].answeredPage = exchange.msr
        return Self.undefinedAnswer(exchange, page, response)
    }

    private func notTaken(_ exchange: Exchange) -> Breach {
        let fact =
            "\(exchange.name) (\(exchange.codeText)): the page at \(exchange.msr.hex) is as the"
            + " guest left it, VALID_BITMAP included: the hypervisor did not take it"
        guard let old = vcpus[exchange.vcpu]?.answeredPage, old != exchange.msr else {
            return Breach(.pageNotTaken, fact, key: "")
        }
        let place = "; it answered vCPU \(exchange.vcpu) at \(old.hex) before"
        return Breach(.pageNotTaken, fact + place, key: "")
    }

    private static func undefinedAnswer(
        _ exchange: Exchange, _ page: GHCBPage, _ response: GHCBPage
    ) -> [Breach] {
        let info1 = response.raw(.swExitInfo1)
        guard UInt32(truncatingIfNeeded: info1) > 2 else { return [] }
        let origin = info1 == page.raw(.swExitInfo1) ? ", still the request's" : ""
        let fact =
            "\(exchange.name) (\(exchange.codeText)): the answer has \(info1.hex) in"
            + " SW_EXITINFO1\(origin): neither 0 (done), 1 (exception) nor 2 (malformed)"
        return [Breach(.undefinedAnswer, fact, key: "")]
    }

    /// Whether the scratch area begins before the page and reaches into it, as version 1 allows.
    private static func overwritesPage(_ exchange: Exchange, _ page: GHCBPage) -> Bool {
        guard let start = page.value(.swScratch), start < exchange.msr else { return false }
        return exchange.scratchLength > exchange.msr - start
    }
}
