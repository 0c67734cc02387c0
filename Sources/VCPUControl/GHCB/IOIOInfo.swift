/// SW_EXITINFO1 of a port access; APM volume 2, section 15.10.2; REFERENCE 3b.
package struct IOIOInfo: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Builds the word for an access with 64-bit addresses; the size is 1, 2 or 4 bytes.
    package init(
        port: UInt16, size: UInt8, isInput: Bool, isString: Bool = false, isRepeated: Bool = false,
        segment: SegmentName = .es
    ) {
        rawValue = UInt64(port) << 16 | UInt64(segment.rawValue) << 10 | 1 << 9
        rawValue |= UInt64(size & 7) << 4
        if isInput { rawValue |= 1 }
        if isString { rawValue |= 1 << 2 }
        if isRepeated { rawValue |= 1 << 3 }
    }

    /// Bit 0: IN rather than OUT.
    package var isInput: Bool { rawValue & 1 != 0 }
    /// Bit 2: INS or OUTS.
    package var isString: Bool { rawValue & 1 << 2 != 0 }
    /// Bit 3.
    package var isRepeated: Bool { rawValue & 1 << 3 != 0 }
    /// Bits 6:4: bytes in one unit.
    ///
    /// The architecture knows 1, 2 and 4; KVM takes whatever is there.
    package var size: Int { Int(rawValue >> 4 & 7) }
    /// Bits 9:7: the width of addresses in bits; `nil` unless exactly one is set.
    package var addressWidth: Int? {
        switch rawValue >> 7 & 7 {
        case 1: 16
        case 2: 32
        case 4: 64
        default: nil
        }
    }
    /// Bits 12:10; `nil` for the two that name no segment.
    package var segment: SegmentName? { SegmentName(rawValue: UInt8(rawValue >> 10 & 7)) }
    /// Bits 31:16.
    package var port: UInt16 { UInt16(truncatingIfNeeded: rawValue >> 16) }
}
