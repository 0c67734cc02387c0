// Memory and values in gdb's formats.

extension MemoryListing {
    /// As gdb's `x`: a row begins with its address, units are apart by tabs.
    var lines: [String] {
        let size = unitsPerRow
        return stride(from: 0, to: items.count, by: size).map { start in
            let row = items[start..<min(start + size, items.count)]
            let head = row.first.map { $0.address.rawValue.hex + label($0) } ?? ""
            return head + ":" + row.map { "\t" + text($0) }.joined()
        }
    }

    private func label(_ item: Item) -> String { item.symbol.map { " <\($0)>" } ?? "" }

    private var unitsPerRow: Int {
        switch (letter, unit) {
        case (.string, _), (.instruction, _): 1
        case (.binary, .word), (.binary, .half): 4
        case (.binary, .giant), (.address, _), (_, .giant): 2
        case (_, .word): 4
        default: 8
        }
    }

    private func text(_ item: Item) -> String {
        switch item.bytes {
        case .hidden(let reason): return reason.mark
        case .known(let bytes, _) where letter == .string: return Self.quoted(bytes)
        case .known(let bytes, _):
            let value = UInt64(littleEndian: bytes)
            return letter.text(value, unit, symbol: item.valueSymbol)
        }
    }

    private static func quoted(_ bytes: [UInt8]) -> String {
        let text = bytes.map { byte -> String in
            switch byte {
            case UInt8(ascii: "\n"): "\\n"
            case UInt8(ascii: "\t"): "\\t"
            case UInt8(ascii: "\r"): "\\r"
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): "\\" + String(UnicodeScalar(byte))
            case 0x20..<0x7f: String(UnicodeScalar(byte))
            default: "\\x" + byte.hexDigits(2)
            }
        }
        return "\"" + text.joined() + "\""
    }
}

extension ExamineFormat.Letter {
    /// One unit as `x` shows it: filled up to the size of the unit, so that columns stay in line.
    func text(_ value: UInt64, _ unit: MemoryUnit, symbol: String?) -> String {
        let bits = 8 * unit.rawValue
        switch self {
        case .hex: return "0x" + value.hexDigits(bits / 4)
        case .binary:
            let digits = String(value, radix: 2)
            return String(repeating: "0", count: max(0, bits - digits.count)) + digits
        case .octal: return "0" + String(value, radix: 8)
        case .signed: return String(Self.signed(value, bits))
        case .character: return "\(Self.signed(value, bits)) '\(Self.character(value))'"
        case .address: return value.hex + (symbol.map { " <\($0)>" } ?? "")
        case .unsigned, .string, .instruction: return String(value)
        }
    }

    private static func signed(_ value: UInt64, _ bits: Int) -> Int64 {
        Int64(bitPattern: value << UInt64(64 - bits)) >> Int64(64 - bits)
    }

    private static func character(_ value: UInt64) -> String {
        switch UInt8(truncatingIfNeeded: value) {
        case UInt8(ascii: "\n"): "\\n"
        case UInt8(ascii: "\t"): "\\t"
        case UInt8(ascii: "\r"): "\\r"
        case UInt8(ascii: "'"): "\\'"
        case let byte where (0x20..<0x7f).contains(byte): String(UnicodeScalar(byte))
        case let byte:
            "\\" + String(repeating: "0", count: byte < 8 ? 2 : byte < 64 ? 1 : 0)
                + String(byte, radix: 8)
        }
    }
}

extension PrintedValue {
    /// Numbers in decimal and addresses in hexadecimal, unless a format is given.
    package var text: String {
        switch letter {
        case .hex: value.bits.hex
        case .octal: value.bits == 0 ? "0" : "0" + String(value.bits, radix: 8)
        case .binary: String(value.bits, radix: 2)
        case .unsigned: String(value.bits)
        case .character: ExamineFormat.Letter.character.text(value.bits & 0xff, .byte, symbol: nil)
        case .address: value.bits.hex + (symbol.map { " <\($0)>" } ?? "")
        case .signed: String(Int64(bitPattern: value.bits))
        case .string, .instruction, nil:
            value.isSigned
                ? String(Int64(bitPattern: value.bits))
                : value.bits.hex + (symbol.map { " <\($0)>" } ?? "")
        }
    }
}
