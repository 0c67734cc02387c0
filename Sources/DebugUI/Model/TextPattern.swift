/// A piece of text to look for; written without capital letters, it is found in both cases.
package struct TextPattern: Sendable, Equatable {
    package let text: String
    private let bytes: [UInt8]
    private let ignoresCase: Bool

    /// - Returns: `nil` for an empty text, which would be everywhere.
    package init?(_ text: String) {
        guard !text.isEmpty else { return nil }
        self.text = text
        bytes = Array(text.utf8)
        ignoresCase = !bytes.contains { (0x41...0x5a).contains($0) }
    }

    package func isFound(in text: String) -> Bool { offset(in: Array(text.utf8)) != nil }

    /// Bytes in front of the first place where the pattern is found.
    package func offset(in text: [UInt8]) -> Int? {
        guard text.count >= bytes.count else { return nil }
        return (0...text.count - bytes.count).first { start in
            bytes.indices.allSatisfy { folded(text[start + $0]) == bytes[$0] }
        }
    }

    private func folded(_ byte: UInt8) -> UInt8 {
        ignoresCase && (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
    }
}
