/// Text that may come from a guest, made harmless for a terminal.
package enum EscapedText {
    /// Decodes console output: newline and tab stay, CR before LF goes, the rest is escaped.
    package static func console(_ bytes: some Collection<UInt8>) -> String {
        decode(Array(bytes)) { scalar, next in
            switch scalar {
            case "\n", "\t": String(scalar)
            case "\r": next == UInt8(ascii: "\n") ? "" : "\\r"
            default: nil
            }
        }
    }

    /// Escapes a name or another text that has to stay on one line.
    package static func line(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 >= 0x7f }) else { return text }
        return decode(Array(text.utf8)) { scalar, _ in scalar == "\t" ? "\t" : nil }
    }

    /// Decodes text; `kept` says what becomes of a control character, or `nil`: it is escaped.
    private static func decode(
        _ bytes: [UInt8], kept: (Unicode.Scalar, UInt8?) -> String?
    ) -> String {
        var text = ""
        var index = 0
        while index < bytes.count {
            guard let scalar = scalar(in: bytes, at: index) else {
                text += "\\x" + bytes[index].hexDigits(2)
                index += 1
                continue
            }
            index += UTF8.width(scalar)
            let next = index < bytes.count ? bytes[index] : nil
            text += isHarmless(scalar) ? String(scalar) : kept(scalar, next) ?? escape(scalar)
        }
        return text
    }

    /// The scalar that starts at a position, where there is a well-formed one.
    private static func scalar(in bytes: [UInt8], at index: Int) -> Unicode.Scalar? {
        let length = max((~bytes[index]).leadingZeroBitCount, 1)
        guard length <= 4, index + length <= bytes.count else { return nil }
        let text = String(validating: bytes[index..<index + length], as: UTF8.self)
        return text?.unicodeScalars.first
    }

    /// Whether a scalar has a place of its own in a line: no control character, and none that
    /// reorders, hides or overstrikes the text around it, or that no standard gives a meaning.
    static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return (0x20...0x7e).contains(scalar.value) }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
            .unassigned, .nonspacingMark, .enclosingMark:
            return false
        default: return !scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        scalar.value < 0x100
            ? "\\x" + scalar.value.hexDigits(2) : "\\u{" + String(scalar.value, radix: 16) + "}"
    }
}
