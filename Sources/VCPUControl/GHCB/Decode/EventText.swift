/// A request of the page protocol in words, as far as code and infos say it.
struct EventText: Sendable {
    let code: ExitCode
    let info1: UInt64?
    let info2: UInt64?

    /// `0x7b IOIO`; the code alone where it has no name.
    var name: String { code.rawValue.hex + (code.name.map { " " + $0 } ?? "") }

    /// `0x7b IOIO, event of version 1`.
    var title: String {
        guard let event = NAEEvent.event(code) else {
            return code.name == nil
                ? name + ", no exit code and no event of the GHCB protocol"
                : name + ", an exit code, no event of the GHCB protocol" + automatic
        }
        let version = event.version.map { ", event of version \($0)" } ?? ", event after version 2"
        return name + version + (event.isSNPOnly ? ", SEV-SNP only" : "")
    }

    /// The exits that the hardware makes by itself; REFERENCE 8d.
    private var automatic: String {
        switch code.rawValue {
        case 0x52, 0x60...0x64, 0x77, 0x78, 0x7f, 0x8f...0x9f, 0xa5, 0xa6, 0x403:
            ": an automatic exit, without #VC"
        case 0x400: ": an automatic exit, but #VC for MMIO"
        default: ""
        }
    }

    /// What SW_EXITINFO1 and 2 say, one line each.
    var details: [String] {
        switch code {
        case .ioio: portLines
        case .mmioRead, .mmioWrite: mmioLines
        case .msr: info1Lines { $0 == 0 ? "read" : $0 == 1 ? "write" : "no operation" }
        case .apJumpTable: jumpTableLines
        case .termination: info1Lines { TerminationReason(exitInfo1: $0).text }
        case .unsupported: info1Lines { "#VC error code, " + (ExitCode($0).name ?? "unknown") }
        case .guestRequest, .extendedGuestRequest:
            info1Lines { "request page \($0.hex)" } + info2Lines { "response page \($0.hex)" }
        case .apCreation: info1Lines(Self.apCreation) + info2Lines { "VMSA page \($0.hex)" }
        case .hvDoorbellPage: info1Lines(Self.doorbell)
        case .runVMPL: info1Lines { "VMPL\($0)" }
        case .hvIPI: info1Lines { "ICR \($0.hex)" }
        default: plainLines
        }
    }

    /// The fields that the event takes and gives, and how KVM fares with it.
    var fields: [String] {
        guard NAEEvent.event(code) != nil else { return [] }
        var page = GHCBPage()
        page.setRaw(.swExitCode, to: code.rawValue)
        page.setRaw(.swExitInfo1, to: info1 ?? 0)
        let groups = [
            ("needs", NAEEvent.requiredFields(of: page)),
            ("may take", NAEEvent.optionalFields(of: page)),
            ("returns", NAEEvent.returnedFields(of: page)),
        ]
        let support = PageRules(page, ghcb: nil, vm: Linter.VM(resetMSR: 0)).breaches
            .filter { $0.rule == .unhandledByKVM }.map { "KVM 6.12: " + $0.fact }
        return groups.filter { !$0.1.isEmpty }.map { group in
            group.0 + " " + group.1.map(\.specName).joined(separator: ", ")
        } + support
    }
}

// MARK: - The two infos

extension EventText {
    private func info1Lines(_ text: (UInt64) -> String) -> [String] {
        info1.map { ["SW_EXITINFO1 \($0.hex): " + text($0)] } ?? []
    }

    private func info2Lines(_ text: (UInt64) -> String) -> [String] {
        info2.map { ["SW_EXITINFO2 \($0.hex): " + text($0)] } ?? []
    }

    private var plainLines: [String] {
        guard info1 ?? 0 != 0 || info2 ?? 0 != 0 else { return [] }
        return [("SW_EXITINFO1", info1), ("SW_EXITINFO2", info2)].compactMap { name, value in
            value.map { "\(name) \($0.hex)" }
        }
    }

    private var portLines: [String] {
        let isString = info1.map { IOIOInfo(rawValue: $0).isString } ?? false
        return info1Lines { IOIOInfo(rawValue: $0).text }
            + (isString ? info2Lines { "\($0) " + ($0 == 1 ? "unit" : "units") } : [])
    }

    private var mmioLines: [String] {
        let access = code == .mmioRead ? "read from" : "write to"
        return info1Lines { "\(access) guest physical address \($0.hex)" }
            + info2Lines { "\($0) " + ($0 == 1 ? "byte" : "bytes") }
    }

    private var jumpTableLines: [String] {
        let operations: [UInt64: String] = [0: "set the AP jump table", 1: "get the AP jump table"]
        return info1Lines { operations[$0] ?? "no operation" }
            + (info1 == 0 ? info2Lines { "the table is at \($0.hex)" } : [])
    }

    private static func apCreation(_ info1: UInt64) -> String {
        let operation: String =
            switch info1 & 0xffff {
            case 0: "create on INIT"
            case 1: "create"
            case 2: "destroy"
            default: "no operation"
            }
        return "\(operation), VMPL\(info1 >> 16 & 0xf), APIC ID \((info1 >> 32).hex)"
    }

    private static func doorbell(_ info1: UInt64) -> String {
        switch info1 {
        case 0: "get the preferred #HV doorbell page"
        case 1: "set the #HV doorbell page"
        case 2: "query the #HV doorbell page"
        case 3: "clear the #HV doorbell page"
        default: "no operation"
        }
    }
}

// MARK: - Ports

extension IOIOInfo {
    /// `OUT, port 0x3f8, 1 byte, string, REP, 64-bit addresses, segment DS`.
    package var text: String {
        let unit = size == 1 ? "1 byte" : "\(size) bytes"
        let isKnown = [1, 2, 4].contains(size)
        var parts = [
            isInput ? "IN" : "OUT", "port \(port.hex)",
            isKnown ? unit : unit + " (no operand size)",
        ]
        if isString { parts.append("string") }
        if isRepeated { parts.append("REP") }
        if let addressWidth { parts.append("\(addressWidth)-bit addresses") }
        if isString {
            parts.append(segment.map { "segment " + "\($0)".uppercased() } ?? "no segment")
        }
        return parts.joined(separator: ", ")
    }
}
