/// Explains lines of dmesg, of the `kvm_vmgexit` tracepoints and of guests, one after the other.
///
/// A line that is none of `LogMessage` is nobody's to explain: it is never guessed at. The cost of
/// a line grows with its length only, and what the decoder keeps between lines is one GHCB dump.
package struct LogDecoder: Sendable {
    /// What a GHCB dump has said so far.
    private var dump = Dump()

    private struct Dump: Sendable {
        var code: ExitCode?
        var info1: UInt64?
    }

    package init() {}

    /// Longer lines are none of ours.
    package static let longestLine = 4096

    /// Explains a line; `nil` for one that passes through as it is.
    package mutating func decode(_ line: String) -> Decoding? {
        let bytes = Array(line.utf8.prefix(Self.longestLine + 1))
        guard bytes.count <= Self.longestLine, let found = Self.find(bytes) else { return nil }
        var decoding = explain(found.message, found.values)
        var members = [DecodedValue.Member("message", .text(found.message.rawValue))]
        if let vcpu = Self.vcpu(bytes, before: found.start) {
            members.append(.init("vcpu", .number(vcpu)))
        }
        if case .record(let rest) = decoding.value { members += rest }
        decoding.value = .record(members)
        return decoding
    }

    /// The last message in the line: what stands before may be anybody's words.
    private static func find(_ line: [UInt8]) -> Match? {
        for start in line.indices.reversed() {
            for (message, pattern) in byFirstByte[Int(line[start])] {
                guard let values = pattern.match(line, at: start) else { continue }
                return Match(message: message, start: start, values: values)
            }
        }
        return nil
    }

    private struct Match {
        let message: LogMessage
        let start: Int
        let values: [UInt64]
    }

    /// The patterns by the byte that they begin with.
    private static let byFirstByte: [[(LogMessage, LinePattern)]] = {
        let all = LogMessage.allCases.flatMap { message in message.patterns.map { (message, $0) } }
        return (UInt8.min...UInt8.max).map { byte in all.filter { $0.1.first == byte } }
    }()

    /// `vcpu0, guest rIP: 0x0 ` before a message: the RIP is never an SEV-ES guest's.
    private static func vcpu(_ line: [UInt8], before start: Int) -> Int? {
        let head = Array(line.prefix(start))
        for place in head.indices.reversed() where head[place] == UInt8(ascii: "v") {
            if let values = vcpuPattern.match(head, at: place) { return Int(exactly: values[0]) }
        }
        return nil
    }

    private static let vcpuPattern = LinePattern("vcpu%d, guest rIP: %x")
}

// MARK: - Explanations

extension LogDecoder {
    private mutating func explain(_ message: LogMessage, _ values: [UInt64]) -> Decoding {
        switch message {
        case .dumpHead, .dumpCode, .dumpInfo1, .dumpInfo2, .dumpScratch, .dumpBitmap:
            explainDump(message, values)
        case .traceEnter, .traceExit, .traceMSREnter, .traceMSRExit:
            LogText.trace(message, values)
        default: LogText.sentence(message, values)
        }
    }

    private mutating func explainDump(_ message: LogMessage, _ values: [UInt64]) -> Decoding {
        switch message {
        case .dumpHead:
            dump = Dump()
            return Decoding(
                ["the GHCB at \(values[0].hex), which KVM found an input missing in"],
                ("ghcb", .hex(values[0])))
        case .dumpBitmap: return LogText.bitmap(high: values[0], low: values[1])
        case .dumpCode: dump.code = ExitCode(values[0])
        case .dumpInfo1: dump.info1 = values[0]
        default: break
        }
        return LogText.dumpField(
            message, values[0], isValid: values[1] != 0, code: dump.code, info1: dump.info1)
    }
}
