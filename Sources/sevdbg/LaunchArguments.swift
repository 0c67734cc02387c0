import ArgumentParser
import DebugUI
import Synchronization
import VCPUControl

/// A number of bytes: decimal or hexadecimal, with K, M or G behind it.
struct MemorySize: ExpressibleByArgument, Equatable {
    var bytes: UInt64

    init(bytes: UInt64) { self.bytes = bytes }

    init?(argument: String) {
        let units: [Character: UInt64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        let factor = argument.last.flatMap { units[Character($0.uppercased())] }
        let digits = factor == nil ? Substring(argument) : argument.dropLast()
        guard let number = Number.parse(digits) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor ?? 1)
        guard !overflow else { return nil }
        self.bytes = bytes
    }

    var defaultValueDescription: String { "\(bytes >> 20)M" }
}

/// Numbers of the command line.
enum Number {
    /// Decimal, or hexadecimal with `0x`.
    static func parse(_ text: some StringProtocol) -> UInt64? {
        let lower = text.lowercased()
        let isHex = lower.hasPrefix("0x")
        let digits = isHex ? lower.dropFirst(2) : Substring(lower)
        guard digits.first?.isHexDigit ?? false else { return nil }
        return UInt64(digits, radix: isHex ? 16 : 10)
    }
}

/// The list behind `--args`.
struct GuestArguments: ExpressibleByArgument, Equatable {
    var values: [LaunchOptions.Argument] = []

    init() {}

    init?(argument: String) {
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let value = Self.value(part) else { return nil }
            values.append(value)
        }
    }

    private static func value(_ text: Substring) -> LaunchOptions.Argument? {
        if text == "@vcpu" { return .vcpuNumber }
        if let number = Number.parse(text) { return .value(number) }
        if text.hasPrefix("-"), let number = Number.parse(text.dropFirst()) {
            return .value(0 &- number)
        }
        guard let first = text.first, !first.isNumber, first != "-", first != "@" else {
            return nil
        }
        return .symbol(String(text))
    }
}

/// A value of `-e` or `-x` with its place among all of them.
struct OrderedSource: Sendable {
    var source: ScriptSource
    var place: Int

    /// The parser keeps -e and -x apart, but reads both from left to right.
    private static let count = Atomic<Int>(0)

    init(_ source: ScriptSource) {
        self.source = source
        place = Self.count.add(1, ordering: .relaxed).newValue
    }
}

/// The machines of `--machine`.
enum MachineChoice: String, CaseIterable, ExpressibleByArgument {
    case auto, emulator, kvm
    case sevES = "sev-es"
}

/// When `--color` colours.
enum ColorChoice: String, CaseIterable, ExpressibleByArgument {
    case auto, always, never

    /// The flag beats the environment, that the configuration where it is asked, and that what the
    /// terminal is.
    func isOn(
        configured: ColorChoice? = nil, environment: [String: String], isTerminal: Bool
    ) -> Bool {
        func isSet(_ name: String) -> Bool { !(environment[name] ?? "").isEmpty }
        switch (self, configured) {
        case (.always, _): return true
        case (.never, _): return false
        case (.auto, _) where isSet("NO_COLOR"): return false
        case (.auto, _) where isSet("CLICOLOR_FORCE") && environment["CLICOLOR_FORCE"] != "0":
            return true
        case (.auto, .always): return true
        case (.auto, .never): return false
        case (.auto, _): return isTerminal && environment["TERM"] != "dumb"
        }
    }
}

extension GHCBSetup: ExpressibleByArgument {}
extension Visibility: ExpressibleByArgument {}
extension VCPUSchedule: ExpressibleByArgument {}
extension HypervisorBehaviour: ExpressibleByArgument {}
extension Theme: ExpressibleByArgument {}
