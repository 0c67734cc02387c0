/// Writes the bytes of a packet, little-endian.
struct PacketWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ value: some FixedWidthInteger) {
        let wide = UInt64(truncatingIfNeeded: value)
        bytes += wide.littleEndianBytes(type(of: value).bitWidth / 8)
    }

    mutating func put(_ data: [UInt8]) {
        put(UInt32(data.count))
        bytes += data
    }

    mutating func put(_ text: String) { put(Array(text.utf8)) }

    mutating func put(_ words: [UInt64]) {
        put(UInt32(words.count))
        for word in words { put(word) }
    }
}

/// Reads a packet that came from another process: nothing behind its end, nothing taken on trust.
struct PacketReader {
    struct Malformed: Error, Equatable {}

    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func integer<Value: FixedWidthInteger>(
        _ type: Value.Type = Value.self
    ) throws(Malformed) -> Value {
        let bytes = try take(type.bitWidth / 8)
        return Value(truncatingIfNeeded: UInt64(littleEndian: bytes))
    }

    mutating func data() throws(Malformed) -> [UInt8] {
        try take(Int(try integer(UInt32.self)))
    }

    mutating func text() throws(Malformed) -> String { String(decoding: try data(), as: UTF8.self) }

    mutating func words() throws(Malformed) -> [UInt64] {
        let count = Int(try integer(UInt32.self))
        guard count <= rest.count / 8 else { throw Malformed() }
        var words: [UInt64] = []
        for _ in 0..<count { words.append(try integer()) }
        return words
    }

    private mutating func take(_ count: Int) throws(Malformed) -> [UInt8] {
        guard count >= 0, count <= rest.count else { throw Malformed() }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }
}
