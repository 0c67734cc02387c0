import VCPUControl

/// The GHCB: the MSR in words, and request beside response of the chosen VMGEXIT, field by field.
enum GHCBView {
    static func content(_ state: UIState, width: Int) -> PaneContent {
        guard let snapshot = state.snapshot else { return PaneContent([]) }
        let entry = state.selectedExchange
        let exchange = entry?.exchange ?? snapshot.lastExchange
        var lines = [now(snapshot.ghcbMSR)]
        if let exchange {
            lines += outcome(exchange, width)
            lines += fields(exchange, width)
            lines += buffers(exchange, width)
        } else {
            lines.append(StyledText("no VMGEXIT yet", .dim))
        }
        return PaneContent(
            title: title(entry, exchange), lines,
            top: state.scroll[Pane.ghcb.rawValue].top ?? 0)
    }

    private static func title(_ entry: ExitRecord?, _ exchange: Exchange?) -> String {
        guard let exchange else { return "" }
        let number = entry.map { "#\($0.sequence) " } ?? ""
        return number + "\(exchange.name) \(exchange.outcome.name)"
    }

    /// What the GHCB MSR holds now.
    private static func now(_ msr: Reading<UInt64>) -> StyledText {
        var line = StyledText("MSR ", .dim)
        switch msr {
        case .known(let value, _):
            line.add(value.hexDigits(16) + " ")
            line.add(GHCBMSR(rawValue: value).summary)
        case .hidden(let reason):
            line.add("\(reason.placeholder) ", .hidden)
            line.add(reason.explanation, .dim)
        }
        return line
    }

    /// Why an exchange is not `ok`, and what the MSR protocol carried.
    private static func outcome(_ exchange: Exchange, _ width: Int) -> [StyledText] {
        var lines: [StyledText] = []
        if let reason = exchange.reason {
            lines += "! \(exchange.outcome.name): \(reason)".wrapped(width).map {
                StyledText($0, .error)
            }
        }
        switch exchange.content {
        case .page: break
        case .noPage: lines.append(StyledText("no GHCB page is behind the MSR", .hidden))
        case .msr(let response):
            lines.append(msr("request ", exchange.msr))
            lines.append(response.map { msr("response", $0) } ?? StyledText("no response", .hidden))
        }
        return lines
    }

    private static func msr(_ name: String, _ value: UInt64) -> StyledText {
        var line = StyledText(name + " ", .dim)
        line.add(value.hexDigits(16) + " ")
        line.add(GHCBMSR(rawValue: value).summary)
        return line
    }

    /// One row for each field of either side: name, offset, valid bit, request, response.
    ///
    /// What KVM fills in without being asked comes last: it means nothing (REFERENCE 1a).
    private static func fields(_ exchange: Exchange, _ width: Int) -> [StyledText] {
        guard case .page(let page, _) = exchange.content else { return [] }
        let (request, response) = (exchange.requestFields, exchange.responseFields)
        let meant = Set(request.map(\.field) + NAEEvent.returnedFields(of: page))
        let filler = Set(response.map(\.field)).subtracting(meant)
        let order = sorted(meant) + sorted(filler)
        let head = "field        off bit request          response"
        return [StyledText(head + (width >= 70 ? "          from" : ""), .dim)]
            + order.map { field in
                let asked = request.first { $0.field == field }?.reading
                let answered = response.first { $0.field == field }?.reading
                return row(field, asked, answered, width)
            }
    }

    private static func sorted(_ fields: Set<GHCBField>) -> [GHCBField] {
        fields.sorted { $0.offset < $1.offset }
    }

    private static func row(
        _ field: GHCBField, _ request: Reading<UInt64>?, _ response: Reading<UInt64>?,
        _ width: Int
    ) -> StyledText {
        var line = StyledText(field.name.padded(13))
        line.add(field.offset.hexDigits(3) + " ", .dim)
        line.add((field.validBit.map(String.init) ?? "-").rightAligned(3) + " ", .dim)
        line = line + (request?.cellText ?? StyledText("".padded(16)))
        line.add(" ")
        if let response { line = line + answer(response, to: request) }
        guard width >= 70, case .known(_, let source)? = response ?? request else { return line }
        line.pad(to: 55)
        line.add(source.rawValue, .dim)
        return line
    }

    /// A field of the response, with `*` where it differs from the request.
    private static func answer(
        _ response: Reading<UInt64>, to request: Reading<UInt64>?
    ) -> StyledText {
        guard case .known(let value, _) = response, let request, value != request.value else {
            return response.cellText
        }
        return StyledText(value.hexDigits(16) + "*", .changed)
    }

    /// The shared buffer of request and response, up to its last byte that is not zero.
    private static func buffers(_ exchange: Exchange, _ width: Int) -> [StyledText] {
        guard case .page(let request, let response) = exchange.content else { return [] }
        let asked = dump(request, width)
        let answered = response.map { dump($0, width) } ?? []
        let isSame = asked == answered || answered.isEmpty
        return heading(isSame ? "shared buffer" : "shared buffer, request", asked)
            + (isSame ? [] : heading("shared buffer, response", answered))
    }

    private static func heading(_ title: String, _ lines: [StyledText]) -> [StyledText] {
        lines.isEmpty ? [] : [StyledText(title, .dim)] + lines
    }

    /// 8 or 16 bytes a row, as the width allows.
    private static func dump(_ page: GHCBPage, _ width: Int) -> [StyledText] {
        let buffer = page.bytes[0x800..<0xff0]
        guard let last = buffer.lastIndex(where: { $0 != 0 }) else { return [] }
        let step = width >= 70 ? 16 : 8
        return stride(from: 0x800, through: last, by: step).map { start in
            let bytes = buffer[start..<min(start + step, 0xff0)]
            var line = StyledText(start.hexDigits(3) + "  ", .dim)
            line.add(bytes.map { $0.hexDigits(2) }.joined(separator: " ").padded(step * 3 + 1))
            line.add(String(bytes.map(GuestText.dumped)))
            return line
        }
    }
}
