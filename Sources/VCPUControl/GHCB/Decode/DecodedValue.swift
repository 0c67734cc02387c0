/// What a decoder found, as a tree that JSON and text can both be made from.
package indirect enum DecodedValue: Sendable, Equatable {
    case text(String)
    /// A count or a position, not an address or a register's value: those are texts, `0x…`.
    case number(Int)
    case flag(Bool)
    case list([DecodedValue])
    /// Members in the order in which they are shown.
    case record([Member])

    package struct Member: Sendable, Equatable {
        package var name: String
        package var value: DecodedValue

        package init(_ name: String, _ value: DecodedValue) {
            self.name = name
            self.value = value
        }
    }

    /// A member of a record; `nil` where it has none of this name.
    package subscript(name: String) -> DecodedValue? {
        guard case .record(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// An address, register value or code.
    static func hex(_ value: UInt64) -> DecodedValue { .text(value.hex) }
    static func texts(_ values: [String]) -> DecodedValue { .list(values.map { .text($0) }) }
}

/// Something decoded: lines for people, and the same as a value.
package struct Decoding: Sendable, Equatable {
    /// At least one line, without control characters.
    package var lines: [String]
    package var value: DecodedValue

    package init(lines: [String], value: DecodedValue) {
        self.lines = lines
        self.value = value
    }

    init(_ lines: [String], _ members: (String, DecodedValue)...) {
        self.init(lines: lines, value: .record(members.map { .init($0.0, $0.1) }))
    }
}

extension String {
    /// The text with spaces behind it, and at least one.
    func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
