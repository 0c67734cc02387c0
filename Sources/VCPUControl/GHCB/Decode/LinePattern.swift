/// A line as a kernel or a tool prints it, with places for numbers.
///
/// `%x` is a number with `0x`, `%h` one of hexadecimal digits alone, `%d` a decimal one, and `%b` a
/// bitmap of 128 bits in four groups. A space stands for one or more. What stands before the first
/// place of a pattern may follow anything in the line.
struct LinePattern: Sendable {
    private enum Part: Sendable, Equatable {
        case byte(UInt8)
        case spaces, prefixedHex, hex, decimal, bitmap
    }

    private let parts: [Part]
    /// Whether the line ends where the pattern ends.
    private let isWhole: Bool

    init(_ text: String, isWhole: Bool = true) {
        self.isWhole = isWhole
        var parts: [Part] = []
        var isPlace = false
        for byte in text.utf8 {
            switch (isPlace, byte) {
            case (true, UInt8(ascii: "x")): parts.append(.prefixedHex)
            case (true, UInt8(ascii: "h")): parts.append(.hex)
            case (true, UInt8(ascii: "d")): parts.append(.decimal)
            case (true, UInt8(ascii: "b")): parts.append(.bitmap)
            case (false, UInt8(ascii: "%")): break
            case (false, UInt8(ascii: " ")): parts.append(.spaces)
            default: parts.append(.byte(byte))
            }
            isPlace = !isPlace && byte == UInt8(ascii: "%")
        }
        self.parts = parts
    }

    /// The byte that a match begins with; `nil` for a pattern that begins with a place.
    var first: UInt8? {
        if case .byte(let first)? = parts.first { first } else { nil }
    }

    /// Matches at one place of the line.
    ///
    /// - Returns: the numbers, two for a bitmap with the high half first; `nil` where it is another
    ///   text.
    func match(_ line: [UInt8], at start: Int) -> [UInt64]? {
        var scanner = LineScanner(line, at: start)
        var values: [UInt64] = []
        for part in parts {
            switch part {
            case .byte(let byte): guard scanner.take(byte) else { return nil }
            case .spaces: guard scanner.takeSpaces() else { return nil }
            case .prefixedHex:
                guard let value = scanner.takePrefixedHex() else { return nil }
                values.append(value)
            case .hex:
                guard let value = scanner.takeHex() else { return nil }
                values.append(value)
            case .decimal:
                guard let value = scanner.takeDecimal() else { return nil }
                values.append(value)
            case .bitmap:
                guard let (high, low) = scanner.takeBitmap() else { return nil }
                values += [high, low]
            }
        }
        return isWhole && !scanner.isAtEnd ? nil : values
    }
}

/// Reads numbers from a line, at most 16 digits each.
struct LineScanner {
    private let line: [UInt8]
    private var position: Int

    init(_ line: [UInt8], at position: Int) {
        self.line = line
        self.position = position
    }

    private var next: UInt8? { position < line.count ? line[position] : nil }

    /// Nothing but white space is left.
    var isAtEnd: Bool { line[position...].allSatisfy { $0 == 0x20 || $0 == 0x0d || $0 == 0x09 } }

    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    mutating func takeSpaces() -> Bool {
        let start = position
        while next == UInt8(ascii: " ") { position += 1 }
        return position > start
    }

    /// `0x72`; a zero may stand alone.
    mutating func takePrefixedHex() -> UInt64? {
        guard take(UInt8(ascii: "0")) else { return nil }
        guard take(UInt8(ascii: "x")) else { return 0 }
        return takeHex()
    }

    mutating func takeHex() -> UInt64? { takeNumber(base: 16, digits: 16) }

    mutating func takeDecimal() -> UInt64? { takeNumber(base: 10, digits: 10) }

    /// `00000000,0000000c,00000000,00000000`: the highest 32 bits first.
    mutating func takeBitmap() -> (UInt64, UInt64)? {
        var groups: [UInt64] = []
        while groups.count < 4 {
            let start = position
            guard groups.isEmpty || take(UInt8(ascii: ",")), let group = takeHex(),
                position - start <= 9
            else { return nil }
            groups.append(group)
        }
        return (groups[0] << 32 | groups[1], groups[2] << 32 | groups[3])
    }

    private mutating func takeNumber(base: UInt64, digits: Int) -> UInt64? {
        var value: UInt64 = 0
        let start = position
        while let digit = next.flatMap(Self.digit), digit < base {
            guard position - start < digits else { return nil }
            value = value &* base &+ digit
            position += 1
        }
        return position > start ? value : nil
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }
}
