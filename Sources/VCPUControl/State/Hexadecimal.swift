extension FixedWidthInteger {
    /// The number as debuggers write it: `0x` and lower-case digits.
    package var hex: String { "0x" + String(self, radix: 16) }

    /// The number with leading zeros, without `0x`.
    package func hexDigits(_ count: Int) -> String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: Swift.max(0, count - digits.count)) + digits
    }
}

extension UInt64 {
    /// Takes at most eight bytes, the least significant first.
    package init(littleEndian bytes: some Collection<UInt8>) {
        self = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The lowest bytes, the least significant first.
    package func littleEndianBytes(_ count: Int) -> [UInt8] {
        (0..<Swift.min(count, 8)).map { UInt8(truncatingIfNeeded: self >> (8 * UInt64($0))) }
    }
}
