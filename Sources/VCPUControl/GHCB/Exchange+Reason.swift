// Why an exchange did not go the way the guest wanted, in sentences that name field and value.

extension Exchange {
    /// Why the outcome is not `ok`; `nil` where it is.
    package var reason: String? {
        switch outcome {
        case .ok: nil
        case .exception(let event): exceptionReason(EventInjection(rawValue: event))
        case .malformed(let reason): malformedReason(reason)
        case .terminated(let termination): termination.reason
        case .unanswered: unansweredReason
        case .pending: "the hypervisor answers when the guest runs on"
        }
    }

    private var unansweredReason: String {
        if case .page = content {
            return "the hypervisor did not take the page at \(msr.hex), and resumes the guest"
        }
        guard case .noPage = content else {
            let info = "\(decodedMSR.info.hex) (\(name))"
            return GHCBMSR.Info(rawValue: decodedMSR.info)?.isResponse == true
                ? "the MSR still holds an answer of the hypervisor, \(info): no request"
                : "the hypervisor does not answer MSR request \(info), and leaves the MSR as it is"
        }
        return msr == 0
            ? "the GHCB MSR is 0: no GHCB is set, and the guest runs on without an answer"
            : "the GHCB MSR is \(msr.hex): no RAM there, and the guest runs on without an answer"
    }

    private func exceptionReason(_ event: EventInjection) -> String {
        let what = "\(codeText) (\(name))"
        guard injectedEvent == nil else {
            return "KVM injects \(event.name) for \(what), with SW_EXITINFO1 = 0"
        }
        guard exitCode == .msr, let page = requestPage, let rcx = page.value(.rcx) else {
            return "the hypervisor asks for \(event.name) in answer to \(what)"
        }
        let number = UInt32(truncatingIfNeeded: rcx)
        let name = MSRTable.name(of: number).map { " (\($0))" } ?? ""
        let access = info1 == 0 ? "cannot be read" : "does not take the value"
        return "the hypervisor asks for \(event.name): MSR \(number.hex)\(name) \(access)"
    }
}

// MARK: - Malformed requests

extension Exchange {
    private func malformedReason(_ raw: UInt64) -> String {
        guard let reason = MalformedReason(rawValue: raw) else {
            return "malformed request, unknown reason \(raw.hex)"
        }
        return reason.words + ": " + (requestPage.map { detail(reason, $0) } ?? reason.name)
    }

    private func detail(_ reason: MalformedReason, _ page: GHCBPage) -> String {
        switch reason {
        case .notRegistered: return "the page at \(msr.hex) was never registered"
        case .invalidUsage: return "GHCB_USAGE is \(page.usage.hex), not 0"
        case .invalidScratchArea: return scratchDetail(page)
        case .missingInput: return missingDetail(page)
        case .invalidInput: return inputDetail(page)
        case .invalidEvent:
            let name = exitCode?.name.map { " (\($0))" } ?? ""
            return "the hypervisor takes no SW_EXITCODE \(codeText)\(name) from this guest"
        }
    }

    private func missingDetail(_ page: GHCBPage) -> String {
        let missing = missingFields(page)
        let names = missing.map(\.specName)
        switch names.count {
        case 0: return "\(codeText) (\(name)) needs an SEV-SNP guest"
        case 1: return "\(names[0]) is not valid in the bitmap"
        default: return "\(names.joined(separator: ", ")) are not valid in the bitmap"
        }
    }

    /// Those of KVM's list, else what the specification wants besides with CPUID leaf 0xD.
    private func missingFields(_ page: GHCBPage) -> [GHCBField] {
        let missing = NAEEvent.requiredFields(of: page).filter { !page.isValid($0) }
        guard missing.isEmpty, exitCode == .cpuid else { return missing }
        return [page.isValid(.xcr0) ? .xss : .xcr0]
    }

    private func inputDetail(_ page: GHCBPage) -> String {
        switch exitCode {
        case .apJumpTable: "SW_EXITINFO1 is \(info1.hex), neither 0 (set) nor 1 (get)"
        case .msr: "SW_EXITINFO1 is \(info1.hex), neither 0 (read) nor 1 (write)"
        case .ioio:
            "SW_EXITINFO1 is \(info1.hex), operand size (bits 6:4)"
                + " \(IOIOInfo(rawValue: info1).size) is not 1, 2 or 4"
        case .mmioRead where info2 == 0, .mmioWrite where info2 == 0:
            "SW_EXITINFO2 is 0x0, an access of no bytes"
        case .mmioRead, .mmioWrite:
            "SW_EXITINFO2 is \(info2.hex), and version 2 moves at most 8 bytes"
        default: "SW_EXITINFO1 is \(info1.hex), SW_EXITINFO2 \(info2.hex)"
        }
    }

    private func scratchDetail(_ page: GHCBPage) -> String {
        guard let scratch = page.value(.swScratch), scratch != 0 else { return "SW_SCRATCH is 0" }
        let length = scratchLength
        let area = "SW_SCRATCH \(scratch.hex) with \(length.hex) bytes"
        let buffer = GHCBPage.sharedBufferRange
        let first = msr &+ UInt64(buffer.lowerBound)
        let last = msr &+ UInt64(buffer.upperBound - 1)
        if scratch.addingReportingOverflow(length).overflow { return area + " wraps around" }
        if scratch & ~0xfff != msr && length > HypervisorModel.scratchLimit {
            return area + " is longer than 64 KiB and outside the GHCB"
        }
        return area + " is not within the shared buffer \(first.hex)-\(last.hex)"
    }

    /// Bytes that the request moves through the scratch area.
    var scratchLength: UInt64 {
        guard exitCode == .ioio else { return info2 }
        return info2.multipliedReportingOverflow(by: UInt64(IOIOInfo(rawValue: info1).size))
            .partialValue
    }
}

// MARK: - The end

extension Termination {
    /// How the VM came to its end, in a sentence.
    package var reason: String {
        switch self {
        case .requested(let set, let code):
            "the guest asked for termination, " + TerminationReason(set: set, code: code).text
        case .refused(let text), .runFailed(_, let text), .internalError(_, let text): text
        }
    }
}
