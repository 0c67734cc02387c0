/// A copy of the 4096 bytes of a GHCB: hostile until decoded.
package struct GHCBPage: Sendable, Equatable {
    /// Exactly 4096 bytes.
    package private(set) var bytes: [UInt8]

    package static let size = 4096
    /// The 128 valid bits, little-endian: bit n is bit n % 8 of byte n / 8.
    package static let validBitmapRange = 0x3f0..<0x400
    /// The shared buffer, the only place for scratch data in the page; REFERENCE 1.
    package static let sharedBufferRange = 0x800..<0xff0

    /// An empty page, as the host hands it to a guest.
    package init() { bytes = [UInt8](repeating: 0, count: Self.size) }

    /// Takes a copy of a page; `nil` unless there are exactly 4096 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.size else { return nil }
        self.bytes = Array(bytes)
    }
}

// MARK: - Fields

extension GHCBPage {
    /// Whether the guest marked the field valid; always so for a field that has no bit.
    package func isValid(_ field: GHCBField) -> Bool {
        guard let bit = field.validBit else { return true }
        return isSet(bit: bit)
    }

    /// The field, or the reason why it means nothing.
    package func reading(
        _ field: GHCBField, from source: Provenance = .ghcb
    ) -> Reading<UInt64> {
        isValid(field) ? .known(raw(field), from: source) : .hidden(.notValid)
    }

    /// The field where it is valid.
    package func value(_ field: GHCBField) -> UInt64? { isValid(field) ? raw(field) : nil }

    /// The bytes of the field, valid or not.
    package func raw(_ field: GHCBField) -> UInt64 {
        var value: UInt64 = 0
        for index in field.range.reversed() {
            value = value << 8 | UInt64(bytes[index])
        }
        return value
    }

    /// Writes the field and, where it has a valid bit, sets that.
    ///
    /// Of a field below eight bytes the low ones are written.
    package mutating func set(_ field: GHCBField, to value: UInt64) {
        setRaw(field, to: value)
        if let bit = field.validBit { bytes[Self.bitmapByte(bit)] |= 1 << UInt8(bit % 8) }
    }

    /// Writes the field and leaves the bitmap alone.
    package mutating func setRaw(_ field: GHCBField, to value: UInt64) {
        for byte in 0..<field.size {
            bytes[field.offset + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))
        }
    }

    /// The usage of the page; KVM knows 0 only.
    package var usage: UInt32 { UInt32(truncatingIfNeeded: raw(.ghcbUsage)) }

    /// The protocol version that the guest says it speaks; KVM never looks.
    package var protocolVersion: UInt16 { UInt16(truncatingIfNeeded: raw(.protocolVersion)) }
}

// MARK: - Valid bitmap

extension GHCBPage {
    /// The fields whose valid bit is set, in order of offset.
    package var validFields: [GHCBField] {
        GHCBField.allCases.filter { $0.validBit.map(isSet(bit:)) ?? false }
    }

    /// The bits that are set and belong to no named field, in ascending order.
    package var unnamedValidBits: [Int] {
        let named = Set(GHCBField.allCases.compactMap(\.validBit))
        return (0..<128).filter { isSet(bit: $0) && !named.contains($0) }
    }

    /// Takes the valid mark from a field; nothing happens to one that has no bit.
    package mutating func invalidate(_ field: GHCBField) {
        guard let bit = field.validBit else { return }
        bytes[Self.bitmapByte(bit)] &= ~(1 << UInt8(bit % 8))
    }

    /// Clears all 128 bits, as a guest does before a request and KVM after it.
    package mutating func clearValidBitmap() {
        for index in Self.validBitmapRange { bytes[index] = 0 }
    }

    private func isSet(bit: Int) -> Bool {
        bytes[Self.bitmapByte(bit)] & 1 << UInt8(bit % 8) != 0
    }

    private static func bitmapByte(_ bit: Int) -> Int { validBitmapRange.lowerBound + bit / 8 }
}

// MARK: - Shared buffer

extension GHCBPage {
    package var sharedBuffer: ArraySlice<UInt8> { bytes[Self.sharedBufferRange] }

    /// Bytes of the shared buffer; the offset counts from the start of the page.
    ///
    /// - Returns: `nil` unless all of them lie in the buffer.
    package func scratch(at offset: Int, count: Int) -> ArraySlice<UInt8>? {
        Self.scratchRange(offset, count).map { bytes[$0] }
    }

    /// Writes into the shared buffer; the offset counts from the start of the page.
    ///
    /// - Returns: false, with nothing written, unless all bytes lie in the buffer.
    @discardableResult
    package mutating func setScratch(_ data: [UInt8], at offset: Int) -> Bool {
        guard let range = Self.scratchRange(offset, data.count) else { return false }
        bytes.replaceSubrange(range, with: data)
        return true
    }

    private static func scratchRange(_ offset: Int, _ count: Int) -> Range<Int>? {
        let buffer = sharedBufferRange
        guard buffer.contains(offset), count >= 0, count <= buffer.upperBound - offset else {
            return nil
        }
        return offset..<offset + count
    }
}
