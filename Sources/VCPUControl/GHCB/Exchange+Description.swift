// What an exchange is called and what it carried: the source of JSON records, batch text and the
// terminal's panes (DESIGN 4, `vmgexit`).

extension Exchange {
    /// The request as the guest left it; `nil` for the MSR protocol and where no page was to be had.
    package var requestPage: GHCBPage? {
        if case .page(let request, _) = content { request } else { nil }
    }

    /// The page as the guest finds it; `nil` also where it never runs on.
    package var responsePage: GHCBPage? {
        if case .page(_, let response) = content { response } else { nil }
    }

    /// The MSR's value, decoded.
    package var decodedMSR: GHCBMSR { GHCBMSR(rawValue: msr) }

    /// The event that a page asks for, valid or not: KVM reads it either way.
    package var exitCode: ExitCode? { requestPage.map { ExitCode($0.raw(.swExitCode)) } }

    /// `page` or `msr`.
    package var protocolName: String {
        if case .msr = content { "msr" } else { "page" }
    }

    /// The exit code, or the GHCBInfo of the MSR protocol; `?` where no page was to be had.
    package var codeText: String {
        switch content {
        case .page(let request, _): request.raw(.swExitCode).hex
        case .msr: decodedMSR.info.hex
        case .noPage: "?"
        }
    }

    /// The name in the specification: `CPUID`, `MMIO_READ`, `SEV_INFO_REQ`; else `UNKNOWN`.
    package var name: String {
        switch content {
        case .page(let request, _): ExitCode(request.raw(.swExitCode)).name ?? "UNKNOWN"
        case .msr: decodedMSR.name
        case .noPage: "NO_GHCB"
        }
    }

    /// SW_EXITINFO1 of the request; without a page the one word that there is, the MSR.
    package var info1: UInt64 { requestPage?.raw(.swExitInfo1) ?? msr }

    /// SW_EXITINFO2 of the request; 0 without a page, as there is no second word.
    package var info2: UInt64 { requestPage?.raw(.swExitInfo2) ?? 0 }

    /// The page that the MSR named; `nil` for the MSR protocol and an MSR of 0.
    package var ghcb: GuestPhysicalAddress? {
        guard case .page(let address) = decodedMSR, address.rawValue != 0 else { return nil }
        return address
    }

    /// The event that KVM injects itself, behind the VMGEXIT: SW_EXITINFO1 says nothing of it.
    ///
    /// `nil` where the guest is asked to raise it, or there is none.
    package var injectedEvent: EventInjection? {
        guard case .exception(let event) = outcome, responsePage?.raw(.swExitInfo1) == 0 else {
            return nil
        }
        return EventInjection(rawValue: event)
    }
}

// MARK: - Fields

extension Exchange {
    package typealias FieldReading = (field: GHCBField, reading: Reading<UInt64>)

    /// The fields that the guest marked valid, or that the event needs or returns, by offset.
    package var requestFields: [FieldReading] {
        guard let page = requestPage else { return [] }
        let involved = NAEEvent.requiredFields(of: page) + NAEEvent.returnedFields(of: page)
        guard let sight else {
            return Self.readings(of: page, besidesValid: involved, from: requestSource)
        }
        let fields = NAEEvent.optionalFields(of: page) + involved
        return GHCBField.allCases
            .filter { $0.validBit != nil && (page.isValid($0) || fields.contains($0)) }
            .map { ($0, sight.reading($0)) }
    }

    /// The fields that KVM marked valid, or that the event returns, by offset.
    ///
    /// RAX, RBX, RCX and RDX are always there; only those that the event returns mean something.
    package var responseFields: [FieldReading] {
        guard let request = requestPage, let page = responsePage else { return [] }
        return Self.readings(
            of: page, besidesValid: NAEEvent.returnedFields(of: request), from: responseSource)
    }

    private static func readings(
        of page: GHCBPage, besidesValid involved: [GHCBField], from source: Provenance
    ) -> [FieldReading] {
        GHCBField.allCases
            .filter { $0.validBit != nil && (page.isValid($0) || involved.contains($0)) }
            .map { ($0, page.reading($0, from: source)) }
    }
}
