/// Explains values of the GHCB protocol without a guest: `sevdbg decode`.
package enum Decode {
    /// A value of MSR 0xC0010130.
    package static func msr(_ value: UInt64) -> Decoding {
        let msr = GHCBMSR(rawValue: value)
        let rules = MSRRules(value: value, vm: Linter.VM(resetMSR: 0))
        var lines = [msr.summary, kind(of: msr, value)]
        if rules.isMisalignedAddress {
            lines.append(
                "low 12 bits \(msr.info.hex): an address that is not page-aligned reads like this")
        } else {
            lines += rules.requestBreaches.map(\.fact)
        }
        return Decoding(
            lines, ("msr", .hex(value)), ("info", .hex(UInt64(msr.info))),
            ("name", .text(msr.name)),
            ("data", .hex(value >> 12)), ("details", .texts(msr.details)))
    }

    private static func kind(of msr: GHCBMSR, _ value: UInt64) -> String {
        guard case .page = msr else {
            let isResponse = GHCBMSR.Info(rawValue: msr.info)?.isResponse
            let kind = isResponse.map { $0 ? "answer of the hypervisor" : "request of the guest" }
            return "MSR protocol, GHCBInfo \(msr.info.hex): " + (kind ?? "no code of the protocol")
        }
        return value == 0 ? "no GHCB is set" : "page protocol: the GHCB's guest physical address"
    }

    /// An exit code with SW_EXITINFO1 and 2, where they are known.
    package static func exit(
        _ code: ExitCode, info1: UInt64? = nil, info2: UInt64? = nil
    ) -> Decoding {
        let request = EventText(code: code, info1: info1, info2: info2)
        return Decoding(
            [request.title] + request.details + request.fields,
            ("code", .hex(code.rawValue)), ("name", .text(code.name ?? "UNKNOWN")),
            ("info1", info1.map { .hex($0) } ?? .text("unknown")),
            ("info2", info2.map { .hex($0) } ?? .text("unknown")),
            ("details", .texts(request.details)))
    }

    /// SW_EXITINFO1 and 2 as the hypervisor answers them; nothing is known of the event.
    package static func answer(info1: UInt64, info2: UInt64) -> Decoding {
        let text = answerText(info1: info1, info2: info2)
        return Decoding(
            [text], ("info1", .hex(info1)), ("info2", .hex(info2)), ("answer", .text(text)))
    }

    /// One sentence; the high half of SW_EXITINFO1 has no meaning (REFERENCE 3c).
    static func answerText(info1: UInt64, info2: UInt64) -> String {
        switch UInt32(truncatingIfNeeded: info1) {
        case 0: return info2 == 0 ? "done" : "done, SW_EXITINFO2 \(info2.hex)"
        case 1:
            let event = EventInjection(rawValue: info2)
            let note = event.isAcceptable ? "" : ", which guests do not accept"
            return "the hypervisor asks the guest to raise \(event.name)\(note)"
        case 2:
            guard let reason = MalformedReason(rawValue: info2) else {
                return "malformed request, unknown reason \(info2.hex)"
            }
            return "malformed request: \(reason.words) (\(reason.rawValue), \(reason.name))"
        default: return "SW_EXITINFO1 \(info1.hex), no answer that the protocol defines"
        }
    }
}
