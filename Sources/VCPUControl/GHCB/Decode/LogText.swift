/// The sentences that explain a `LogMessage`.
enum LogText {
    /// What KVM complains about, what the guest sees of it, and what to do.
    static func sentence(_ message: LogMessage, _ values: [UInt64]) -> Decoding {
        Decoding(
            lines(message, values), ("values", .list(values.map { .hex($0) })),
            ("explanation", .texts(lines(message, values))))
    }

    private static func lines(_ message: LogMessage, _ values: [UInt64]) -> [String] {
        switch message {
        case .invalidUsage:
            ["GHCB_USAGE is \(values[0].hex), KVM takes 0 only"] + answer(.invalidUsage)
        case .invalidInput: missingInput(ExitCode(values[0]))
        case .invalidEvent:
            [EventText(code: ExitCode(values[0]), info1: nil, info2: nil).title]
                + answer(.invalidEvent)
        case .unsupportedEvent:
            [
                "the guest says that it does not support #VC \(name(values[0]))"
                    + " (SW_EXITINFO2 \(values[1].hex))", "KVM_RUN fails with EINVAL",
            ]
        case .noGHCB:
            ["VMGEXIT while the GHCB MSR is 0; KVM resumes the guest, which sees no answer"]
        case .unmappableGHCB:
            [
                "the GHCB MSR is \(values[0].hex), and no RAM is there;"
                    + " KVM resumes the guest, which sees no answer"
            ]
        case .unregisteredGHCB:
            [
                "an SEV-SNP guest used the GHCB at \(values[0].hex) without registering it:"
                    + " MSR request 0x012 with this address has to come first",
                "KVM_RUN fails with EINVAL",
            ]
        case .noScratch: ["SW_SCRATCH is 0 or not valid"] + answer(.invalidScratchArea)
        case .wrappingScratch:
            ["SW_SCRATCH \(values[1].hex) with \(values[0].hex) bytes wraps around"]
                + answer(.invalidScratchArea)
        case .misplacedScratch:
            [
                "scratch bytes \(values[0].hex)-\((values[1] &- 1).hex) begin in the GHCB and are"
                    + " not within its shared buffer, offsets 0x800-0xfef"
            ] + answer(.invalidScratchArea)
        case .longScratch:
            [
                "a scratch area of \(values[0].hex) bytes outside the GHCB,"
                    + " KVM takes \(values[1].hex)"
            ]
                + answer(.invalidScratchArea)
        case .unreadableScratch:
            ["no RAM behind the scratch area of a version 1 guest; KVM_RUN fails with EFAULT"]
        case .jumpTableOperation:
            ["SW_EXITINFO1 of AP_JUMP_TABLE is \(values[0].hex), neither 0 (set) nor 1 (get)"]
                + answer(.invalidInput)
        case .apCreation:
            ["KVM refuses AP_CREATION (0x80000013), an event of SEV-SNP"] + answer(.invalidInput)
        case .msrTermination: termination(values[0], values[1])
        case .pageTermination:
            [TerminationReason(exitInfo1: values[0])].map(termination)
                + (values[1] == 0 ? [] : ["SW_EXITINFO2 \(values[1].hex)"])
        case .unexpectedExit:
            [
                "KVM has no handler for \(name(values[0])):"
                    + " KVM_EXIT_INTERNAL_ERROR, suberror 4, ends the VM"
            ]
        case .vmgexitError: [Decode.answerText(info1: values[0], info2: values[1])]
        case .missingFeatures: features(values)
        default: []
        }
    }

    private static func answer(_ reason: MalformedReason) -> [String] {
        [
            "the guest sees SW_EXITINFO1 2, SW_EXITINFO2 \(reason.rawValue)"
                + " (\(reason.name)), and runs on"
        ]
    }

    private static func name(_ code: UInt64) -> String {
        EventText(code: ExitCode(code), info1: nil, info2: nil).name
    }

    /// KVM does not say which input is missing.
    private static func missingInput(_ code: ExitCode) -> [String] {
        let event = EventText(code: code, info1: nil, info2: nil)
        guard NAEEvent.event(code)?.isSNPOnly != true else {
            return [event.title + ": KVM calls it a missing input in an SEV-ES VM"]
                + answer(.missingInput)
        }
        var needs: [String] = []
        for info1 in [UInt64(0), 1, 1 << 2] {
            let lines = EventText(code: code, info1: info1, info2: nil).fields
            needs += lines.filter { $0.hasPrefix("needs") && !needs.contains($0) }
        }
        return ["\(event.name) lacks a field that it needs, or its valid bit"] + needs
            + (code == .cpuid ? ["leaf 0xd needs XCR0 too"] : []) + answer(.missingInput)
    }

    private static func termination(_ set: UInt64, _ code: UInt64) -> [String] {
        guard let set = UInt8(exactly: set), let code = UInt8(exactly: code) else { return ["?"] }
        return [termination(TerminationReason(set: set, code: code))]
    }

    private static func termination(_ reason: TerminationReason) -> String {
        "the guest asked for its end: \(reason.text) (reasons of set \(reason.set):"
            + " \(reason.owner))"
    }

    private static func features(_ values: [UInt64]) -> [String] {
        zip(["present", "required", "missing"], values).map { word, value in
            let names = HypervisorFeatures(rawValue: value).names.joined(separator: ", ")
            return "\(word) \(value.hex): " + (names.isEmpty ? "none" : names)
        }
    }
}

// MARK: - Tracepoints

extension LogText {
    /// `_enter` shows the request, `_exit` the answer of the same event.
    static func trace(_ message: LogMessage, _ values: [UInt64]) -> Decoding {
        switch message {
        case .traceEnter:
            let event = EventText(
                code: ExitCode(values[1]), info1: values[2], info2: values[3])
            return page(values, ["request " + event.name] + event.details)
        case .traceExit:
            let text = Decode.answerText(info1: values[2], info2: values[3])
            return page(values, ["answer to \(name(values[1])): \(text)"])
        case .traceMSREnter: return msr(values, "request ")
        default: return msr(values, "answer ")
        }
    }

    private static func page(_ values: [UInt64], _ lines: [String]) -> Decoding {
        Decoding(
            lines, ("vcpu", .number(Int(clamping: values[0]))), ("code", .hex(values[1])),
            ("name", .text(ExitCode(values[1]).name ?? "UNKNOWN")), ("info1", .hex(values[2])),
            ("info2", .hex(values[3])), ("explanation", .texts(lines)))
    }

    private static func msr(_ values: [UInt64], _ word: String) -> Decoding {
        let decoding = Decode.msr(values[1])
        let lines = [word + decoding.lines[0]]
        return Decoding(
            lines, ("vcpu", .number(Int(clamping: values[0]))), ("msr", .hex(values[1])),
            ("name", .text(GHCBMSR(rawValue: values[1]).name)), ("explanation", .texts(lines)))
    }
}

// MARK: - GHCB dumps

extension LogText {
    /// One of the four words of a dump.
    static func dumpField(
        _ message: LogMessage, _ value: UInt64, isValid: Bool, code: ExitCode?, info1: UInt64?
    ) -> Decoding {
        let event = code.map { EventText(code: $0, info1: info1, info2: value) }
        let text: String? =
            switch message {
            case .dumpCode: event?.title
            case .dumpInfo1: event?.details.first { $0.hasPrefix("SW_EXITINFO1") }
            case .dumpInfo2: event?.details.first { $0.hasPrefix("SW_EXITINFO2") }
            default:
                value == 0 ? nil : "SW_SCRATCH \(value.hex), page offset \((value & 0xfff).hex)"
            }
        return Decoding(
            [text ?? "\(value.hex)"], ("value", .hex(value)), ("valid", .flag(isValid)))
    }

    /// Kernels since 6.5 wipe the bitmap before they print it, until they print a copy.
    static func bitmap(high: UInt64, low: UInt64) -> Decoding {
        let bits = ValidBitmap(UInt128(high) << 64 | UInt128(low))
        let names = bits.positions.map { position in
            ValidBitmap.field(at: position)?.specName ?? "bit \(position)"
        }
        let line =
            bits.isEmpty
            ? "no bit: KVM wipes the bitmap before it prints it, so what was valid is not known"
            : "valid: " + names.joined(separator: ", ")
        return Decoding([line], ("valid", .texts(names)))
    }
}
