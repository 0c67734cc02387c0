// A GHCB page, field by field.

extension Decode {
    /// A GHCB page; without its address the scratch area is not judged.
    ///
    /// A page whose exit code is valid is a request; findings hold for requests only.
    package static func page(
        _ page: GHCBPage, at ghcb: UInt64? = nil, vm: Linter.VM = Linter.VM(resetMSR: 0)
    ) -> Decoding {
        let code = ExitCode(page.raw(.swExitCode))
        let event = EventText(
            code: code, info1: page.raw(.swExitInfo1), info2: page.raw(.swExitInfo2))
        let isRequest = page.isValid(.swExitCode)
        let details = isRequest ? event.details : answerLines(page) ?? [noRequest] + event.details
        let breaches = isRequest ? breaches(page, ghcb, vm) : []
        let lines =
            [event.title] + details + pageStateLines(page) + fieldLines(page)
            + breaches.map { "\($0.severity.rawValue): \($0.rule.id): \($0.fact)" }
        return Decoding(
            lines, ("code", .hex(code.rawValue)), ("name", .text(code.name ?? "UNKNOWN")),
            ("fields", .record(fieldMembers(page))), ("details", .texts(details)),
            ("findings", .list(breaches.map(value))))
    }

    private static let noRequest = "SW_EXITCODE is not valid"

    /// What a page says that the hypervisor has taken: KVM clears the bitmap then, and marks its
    /// answer in two steps (REFERENCE 1a); `nil` where other fields are valid.
    private static func answerLines(_ page: GHCBPage) -> [String]? {
        let info1 = page.raw(.swExitInfo1)
        let words = ValidBitmap([.swExitInfo1, .swExitInfo2])
        let registers = ValidBitmap([.rax, .rbx, .rcx, .rdx])
        let marked = page.validBitmap
        guard marked.contains(words), words.union(registers).contains(marked),
            UInt32(truncatingIfNeeded: info1) <= 2
        else { return nil }
        let isOpen = info1 == 0 && marked == words
        let answer = answerText(info1: info1, info2: page.raw(.swExitInfo2))
        return [
            noRequest + ": the hypervisor has taken the request; "
                + (isOpen ? "accepted, perhaps not done yet" : answer)
        ]
    }

    /// What a page state change asks for, where its descriptor lies in the shared buffer.
    private static func pageStateLines(_ page: GHCBPage) -> [String] {
        guard page.raw(.swExitCode) == ExitCode.psc.rawValue,
            let scratch = page.value(.swScratch)
        else { return [] }
        let offset = Int(scratch & 0xfff)
        let area = page.scratch(at: offset, count: GHCBPage.sharedBufferRange.upperBound - offset)
        guard let descriptor = area.flatMap({ PSCDescriptor($0) }) else { return [] }
        let entries = descriptor.entries.map { entry in
            let size = entry.isTwoMegabytes ? "2 MiB" : "4 KiB"
            return "\(entry.address.rawValue.hex) \(size) \(entry.operation?.name ?? "unknown")"
        }
        return ["page state change, entries \(descriptor.currentEntry)-\(descriptor.endEntry)"]
            + entries
    }

    private static func breaches(
        _ page: GHCBPage, _ ghcb: UInt64?, _ vm: Linter.VM
    ) -> [Breach] {
        let rules = PageRules(page, ghcb: ghcb, vm: vm)
        let extras = rules.extras
        guard !extras.isEmpty else { return rules.breaches }
        let fact = "\(rules.name) does not need \(rules.names(of: extras)), marked valid"
        return rules.breaches + [Breach(.unexpectedValid, fact)]
    }

    private static func value(of breach: Breach) -> DecodedValue {
        .record([
            .init("rule", .text(breach.rule.id)),
            .init("severity", .text(breach.severity.rawValue)),
            .init("message", .text(breach.fact + "; " + breach.rule.advice)),
            .init("spec", .text(breach.rule.spec)),
        ])
    }

    /// The fields that are valid, and version and usage, which have no bit.
    private static func fieldLines(_ page: GHCBPage) -> [String] {
        let shown = page.validFields + [.protocolVersion, .ghcbUsage]
        let lines = shown.map { field in
            "0x" + field.rawValue.hexDigits(3) + "  " + field.specName.padding(to: 18)
                + page.raw(field).hex
        }
        let rest = page.unnamedValidBits
        guard !rest.isEmpty else { return lines }
        return lines + [
            "valid bits without a field: " + rest.map(String.init).joined(separator: " ")
        ]
    }

    private static func fieldMembers(_ page: GHCBPage) -> [DecodedValue.Member] {
        GHCBField.allCases.map { field in
            .init(
                field.name,
                .record([
                    .init("offset", .number(field.offset)), .init("value", .hex(page.raw(field))),
                    .init("valid", .flag(page.isValid(field))),
                ]))
        }
    }
}
