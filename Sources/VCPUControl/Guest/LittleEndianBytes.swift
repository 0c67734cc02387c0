/// Bytes of a file that is not trusted: every access is checked.
struct LittleEndianBytes {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: UInt64 { UInt64(bytes.count) }

    /// `nil` where the bytes do not all exist.
    func slice(at offset: UInt64, count: UInt64) -> ArraySlice<UInt8>? {
        let (end, wraps) = offset.addingReportingOverflow(count)
        guard !wraps, end <= self.count else { return nil }
        return bytes[Int(offset)..<Int(end)]
    }

    /// A number in little-endian order; `nil` where its bytes do not all exist.
    func load<T: FixedWidthInteger>(_ type: T.Type, at offset: UInt64) -> T? {
        slice(at: offset, count: UInt64(T.bitWidth / 8)).map(T.init(littleEndianBytes:))
    }

    /// The text up to a zero, or to `limit` bytes; `nil` where it does not start inside.
    func text(at offset: UInt64, limit: Int) -> String? {
        guard offset < count else { return nil }
        let text = bytes[Int(offset)...].prefix(limit).prefix { $0 != 0 }
        return String(decoding: text, as: UTF8.self)
    }
}

extension FixedWidthInteger {
    /// Makes a number of bytes in the order of an x86's memory.
    init(littleEndianBytes bytes: some BidirectionalCollection<UInt8>) {
        self = bytes.reversed().reduce(0) { $0 << 8 | Self(truncatingIfNeeded: $1) }
    }

    /// The bytes as they lie in the memory of an x86.
    var littleEndianBytes: [UInt8] {
        (0..<bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
    }
}
