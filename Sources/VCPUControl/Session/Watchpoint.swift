/// Memory that stops the guest when its bytes are others than before.
///
/// What is watched is the memory: through which mapping it is changed, and by whom, does not matter.
package struct Watchpoint: Sendable, Equatable {
    package var address: GuestVirtualAddress
    /// Finds the address again after a relaunch; `nil` where nothing can.
    package var expression: Expression?
    /// Where the bytes lie, page by page.
    package var pieces: [WatchedBytes]
    /// As they were when they were last looked at; `nil` where they could not be read yet.
    package private(set) var bytes: [UInt8]?

    package init(
        _ address: GuestVirtualAddress, expression: Expression?, pieces: [WatchedBytes]
    ) {
        (self.address, self.expression, self.pieces) = (address, expression, pieces)
    }

    /// A page; the same as the most that one look costs.
    static let greatestCount: UInt64 = 4096

    package var count: Int { pieces.reduce(0) { $0 + $1.count } }

    /// Takes what the bytes are now.
    ///
    /// - Returns: what has changed; `nil` where nothing has.
    mutating func look(_ new: [UInt8]) -> String? {
        defer { bytes = new }
        guard let old = bytes, old != new, old.count == new.count else { return nil }
        if let unit = MemoryUnit(rawValue: new.count) {
            return "\(unit.type) at \(address.rawValue.hex) "
                + Self.change(UInt64(littleEndian: old).hex, UInt64(littleEndian: new).hex)
        }
        let changed = new.indices.filter { old[$0] != new[$0] }
        let first = changed.first ?? 0
        let shown = first..<min(first + 8, new.count)
        func text(_ bytes: [UInt8]) -> String {
            bytes[shown].map { $0.hexDigits(2) }.joined(separator: " ")
        }
        let rest = changed.count { !shown.contains($0) }
        return "bytes at \((address.rawValue &+ UInt64(first)).hex) "
            + Self.change(text(old), text(new)) + (rest > 0 ? ", and \(rest) more" : "")
    }

    private static func change(_ old: String, _ new: String) -> String { "\(old) -> \(new)" }
}
