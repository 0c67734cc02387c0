import VCPUControl

/// Makes text that no terminal can mistake for a control sequence from bytes of the guest.
package enum GuestText {
    /// A byte as printable ASCII: itself, caret notation (`^[`, `^?`), or `\xNN` from 0x80 on.
    package static func escaped(_ byte: UInt8) -> String {
        switch byte {
        case 0x20...0x7e: String(Unicode.Scalar(byte))
        case 0x7f: "^?"
        case 0x00...0x1f: "^" + String(Unicode.Scalar(byte | 0x40))
        default: "\\x" + byte.hexDigits(2)
        }
    }

    /// A line with its unprintable bytes escaped and marked, and tabs widened to eight columns.
    package static func line(_ bytes: some Sequence<UInt8>) -> StyledText {
        var (line, plain, column) = (StyledText(), "", 0)
        for byte in bytes {
            let text = byte == 9 ? String(repeating: " ", count: 8 - column % 8) : escaped(byte)
            column += text.utf8.count
            guard byte != 9, text.utf8.count > 1 else {
                plain += text
                continue
            }
            line.add(plain)
            line.add(text, .escape)
            plain = ""
        }
        line.add(plain)
        return line
    }

    /// A byte as one column of a memory dump: itself, or a dot.
    static func dumped(_ byte: UInt8) -> Character {
        (0x20...0x7e).contains(byte) ? Character(Unicode.Scalar(byte)) : "."
    }
}
