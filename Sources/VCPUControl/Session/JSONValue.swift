/// A JSON value whose objects keep the order of their members.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(UInt64)
    case string(String)
    case array([JSONValue])
    case object([Member])

    package struct Member: Sendable, Equatable {
        package var name: String
        package var value: JSONValue

        package init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// An address or a register value: a string, for JSON's numbers lose bits above 53.
    package static func hex(_ value: some FixedWidthInteger) -> JSONValue { .string(value.hex) }

    package static func number(_ value: Int) -> JSONValue { .number(UInt64(max(value, 0))) }

    /// The text, or null where there is none.
    package static func optional(_ text: String?) -> JSONValue {
        text.map(JSONValue.string) ?? .null
    }

    /// Appends the value on one line, pure but for non-ASCII text as UTF-8.
    package func write(to output: inout [UInt8]) {
        switch self {
        case .null: output += "null".utf8
        case .bool(let value): output += (value ? "true" : "false").utf8
        case .number(let value): output += String(value).utf8
        case .string(let text): Self.write(text, to: &output)
        case .array(let values):
            Self.write(values, "[", "]", to: &output) { $0.write(to: &$1) }
        case .object(let members):
            Self.write(members, "{", "}", to: &output) { member, output in
                Self.write(member.name, to: &output)
                output += ":".utf8
                member.value.write(to: &output)
            }
        }
    }

    /// The value on one line.
    package var text: String {
        var output: [UInt8] = []
        write(to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    private static func write<Element>(
        _ elements: [Element], _ open: String, _ close: String, to output: inout [UInt8],
        _ write: (Element, inout [UInt8]) -> Void
    ) {
        output += open.utf8
        for (index, element) in elements.enumerated() {
            if index > 0 { output += ",".utf8 }
            write(element, &output)
        }
        output += close.utf8
    }

    private static func write(_ text: String, to output: inout [UInt8]) {
        output += "\"".utf8
        for scalar in text.unicodeScalars {
            if let escape = escape(scalar) {
                output += escape.utf8
            } else {
                output += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
            }
        }
        output += "\"".utf8
    }

    /// RFC 8259, section 7; all else too that is not harmless where a terminal shows it.
    private static func escape(_ scalar: Unicode.Scalar) -> String? {
        switch scalar {
        case "\"": "\\\""
        case "\\": "\\\\"
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        case "\u{8}": "\\b"
        case "\u{c}": "\\f"
        case _ where EscapedText.isHarmless(scalar): nil
        default: String(scalar).utf16.map { "\\u" + $0.hexDigits(4) }.joined()
        }
    }
}
