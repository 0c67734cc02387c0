/// Takes little-endian fields off the front of bytes; one that is not all there is `nil`.
struct RecordReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func word16() -> UInt16? { number(2).map { UInt16(truncatingIfNeeded: $0) } }
    mutating func word32() -> UInt32? { number(4).map { UInt32(truncatingIfNeeded: $0) } }
    mutating func word64() -> UInt64? { number(8) }

    /// As many bytes; `nil`, with nothing taken, where there are fewer.
    mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func number(_ size: Int) -> UInt64? {
        bytes(size).map { UInt64(littleEndian: $0) }
    }
}
