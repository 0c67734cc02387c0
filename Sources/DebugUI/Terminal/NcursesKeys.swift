internal import CNcurses

extension Key {
    /// A character that was typed; control characters are keys of their own.
    init?(typed value: UInt32) {
        switch value {
        case 9: self = .tab
        case 10, 13: self = .enter
        case 8, 127: self = .backspace
        case 27: self = .escape
        case 1...26:
            self = .control(Unicode.Scalar(UInt8(value) + 0x60))
        default:
            guard value >= 32, let character = Unicode.Scalar(value) else { return nil }
            self = .character(character)
        }
    }

    /// A key code of ncurses; `nil` for keys that do nothing here.
    init?(code: Int32) {
        switch code {
        case KEY_UP: self = .up
        case KEY_DOWN: self = .down
        case KEY_LEFT: self = .left
        case KEY_RIGHT: self = .right
        case KEY_HOME, KEY_A1: self = .home
        case KEY_END, KEY_C1: self = .end
        case KEY_PPAGE, KEY_A3: self = .pageUp
        case KEY_NPAGE, KEY_C3: self = .pageDown
        case KEY_BTAB: self = .backTab
        case KEY_DC: self = .delete
        case KEY_BACKSPACE: self = .backspace
        case KEY_ENTER: self = .enter
        case KEY_F0 + 1...KEY_F0 + 12: self = .function(Int(code - KEY_F0))
        default: return nil
        }
    }
}

/// Bracketed paste: text between two marks that the terminal sends, where it can.
struct PasteKeys {
    /// Codes of their own, above all of ncurses'.
    static let start = KEY_MAX + 1
    static let end = KEY_MAX + 2
    /// More is not taken from one paste.
    static let limit = 4096

    /// What switches it on and off; empty where the terminal cannot do it.
    let enable = Self.sequence("BE", "\u{1b}[?2004h")
    let disable = Self.ending

    /// Switches the marks of the terminal into keys.
    init() {
        let marks = [
            Self.sequence("PS", "\u{1b}[200~"): Self.start,
            Self.sequence("PE", "\u{1b}[201~"): Self.end,
        ]
        for (mark, code) in marks where !mark.isEmpty {
            unsafe cncurses_define_key(mark.map { CChar(bitPattern: $0) } + [0], code)
        }
    }

    /// What switches it off.
    static var ending: [UInt8] { sequence("BD", "\u{1b}[?2004l") }

    /// What the terminal's description says, user_caps(5), or what all terminals do that can paste.
    ///
    /// Many descriptions have nothing, screen's among them, and terminals of ECMA-48 skip a mode that
    /// they do not know.
    private static func sequence(_ name: String, _ standard: String) -> [UInt8] {
        let bytes = Capability.bytes(name)
        let isStandard = Capability.bytes("cup").starts(with: "\u{1b}[".utf8)
        return bytes.isEmpty && isStandard ? Array(standard.utf8) : bytes
    }
}

/// String capabilities of the terminal, ready to be written.
enum Capability {
    /// The bytes of a capability without its padding marks; empty where the terminal has it not.
    static func bytes(_ name: String) -> [UInt8] {
        // terminfo's own memory, valid until another terminal is described: copied at once.
        guard let text = unsafe cncurses_capability(name) else { return [] }
        return withoutPadding(Array(unsafe String(cString: text).utf8))
    }

    /// Drops every `$<…>`; terminfo(5), delays and padding.
    static func withoutPadding(_ bytes: [UInt8]) -> [UInt8] {
        var (result, index) = ([UInt8](), 0)
        while index < bytes.count {
            if bytes[index...].starts(with: "$<".utf8),
                let end = bytes[index...].firstIndex(of: UInt8(ascii: ">"))
            {
                index = end + 1
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }
}
