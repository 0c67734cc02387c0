// `info ghcb`: the page field by field, request beside response, and what KVM did to it.

extension GHCBListing {
    var lines: [String] {
        [MSRListing(vcpu: vcpu, value: msr).line]
            + [last.map(\.line) ?? "no VMGEXIT yet"] + table + stepLines
    }

    // MARK: Fields

    /// The places of one field: in the last request, in the answer to it, and in the page now.
    private typealias Column = [GHCBField: Reading<UInt64>]

    private var table: [String] {
        let request = Self.column(last?.exchange.requestFields ?? [])
        let response = Self.column(last?.exchange.responseFields ?? [])
        let now = Self.column(page.value?.requestFields ?? [])
        let fields = GHCBField.allCases.filter {
            request[$0] != nil || response[$0] != nil || now[$0] != nil
        }
        guard !fields.isEmpty else { return [hiddenPage ?? "page now: no field is valid"] }
        let head = Self.row("field", "offset", "bit", ["request", "response", "page now"])
        return [head] + fields.map { Self.row($0, [request[$0], response[$0], now[$0]]) }
            + (hiddenPage.map { [$0] } ?? [])
    }

    private var hiddenPage: String? {
        guard case .hidden(let reason) = page else { return nil }
        if let value = msr.value, value == 0 || value & 0xfff != 0 { return "no page now" }
        return "page now: \(reason.mark)"
    }

    private static func column(_ fields: [Exchange.FieldReading]) -> Column {
        Dictionary(fields.map { ($0.field, $0.reading) }, uniquingKeysWith: { first, _ in first })
    }

    private static func row(_ field: GHCBField, _ readings: [Reading<UInt64>?]) -> String {
        let bit = field.validBit.map(String.init) ?? "-"
        return row(field.name, field.offset.hex, bit, readings.map { $0.map(text) ?? "" })
    }

    private static func row(
        _ field: String, _ offset: String, _ bit: String, _ values: [String]
    ) -> String {
        let head = field.padded(to: 13) + offset.padded(to: 7) + bit.paddedLeft(to: 3) + " "
        let line = head + values.map { $0.padded(to: 19) }.joined()
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    /// Short enough for a column.
    private static func text(_ reading: Reading<UInt64>) -> String {
        switch reading {
        case .known(let value, _): value.hex
        case .hidden(.notValid): "<not valid>"
        case .hidden(let reason): reason.mark
        }
    }

    // MARK: Steps

    private var stepLines: [String] {
        guard !steps.isEmpty else { return [] }
        return ["what KVM did to the page:"]
            + steps.indices.map { index in
                let step = steps[index]
                let changes = index == 0 ? [] : step.changes(since: steps[index - 1])
                return "  \(step.number)  " + step.text + Self.text(changes, step.page)
            }
    }

    private static func text(_ changes: [GHCBField], _ page: GHCBPage) -> String {
        guard !changes.isEmpty else { return "" }
        return ": " + changes.map { "\($0.name)=\(page.raw($0).hex)" }.joined(separator: " ")
    }
}
