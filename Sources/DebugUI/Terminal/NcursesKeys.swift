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
    var enable: [UInt8] = []
    var disable: [UInt8] = []

    /// Reads the terminal's description; user_caps(5): BE, BD, PS, PE.
    init() {
        let marks = ["PS", "PE"].map(Capability.bytes)
        guard marks.allSatisfy({ !$0.isEmpty }) else { return }
        (enable, disable) = (Capability.bytes("BE"), Capability.bytes("BD"))
        for (mark, code) in zip(marks, [Self.start, Self.end]) {
            unsafe cncurses_define_key(mark.map { CChar(bitPattern: $0) } + [0], code)
        }
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
