/// The page state change structure in the scratch area of event 0x80000010 (SEV-SNP).
///
/// Eight bytes of header, then entries of eight bytes. GHCB specification, "Page State Change";
/// asm/sev-common.h, `struct snp_psc_desc`; REFERENCE 3d.
package struct PSCDescriptor: Sendable, Equatable {
    /// Bytes 1:0: the entry that the hypervisor does next.
    package let currentEntry: UInt16
    /// Bytes 3:2: the last entry.
    package let endEntry: UInt16
    /// The entries that lie in the bytes, at most `maximumEntries`.
    package let entries: [Entry]

    /// What the shared buffer holds.
    package static let maximumEntries = 253

    /// One page, or one run of pages.
    package struct Entry: RawRepresentable, Hashable, Sendable {
        package let rawValue: UInt64

        package init(rawValue: UInt64) { self.rawValue = rawValue }

        /// Bits 11:0: how many 4 KiB pages are done.
        package var currentPage: Int { Int(rawValue & 0xfff) }
        /// Bits 51:12.
        package var address: GuestPhysicalAddress { .init(rawValue & 0xf_ffff_ffff_f000) }
        /// Bits 55:52; `nil` for one that nobody defines.
        package var operation: Operation? { Operation(rawValue: UInt8(rawValue >> 52 & 0xf)) }
        /// Bit 56.
        package var isTwoMegabytes: Bool { rawValue >> 56 & 1 != 0 }
    }

    /// What becomes of the page; PSMASH and UNSMASH are the specification's, not Linux's.
    package enum Operation: UInt8, CaseIterable, Sendable {
        case `private` = 1
        case shared, psmash, unsmash

        package var name: String {
            switch self {
            case .private: "PRIVATE"
            case .shared: "SHARED"
            case .psmash: "PSMASH"
            case .unsmash: "UNSMASH"
            }
        }
    }

    /// Takes the bytes of a scratch area; `nil` where not even the header is there.
    package init?(_ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes.prefix(8 * (Self.maximumEntries + 1)))
        guard bytes.count >= 8 else { return nil }
        let header = UInt64(littleEndian: bytes[0..<8])
        currentEntry = UInt16(truncatingIfNeeded: header)
        endEntry = UInt16(truncatingIfNeeded: header >> 16)
        let count = min(Int(endEntry) + 1, bytes.count / 8 - 1)
        entries = (0..<count).map { index in
            Entry(rawValue: UInt64(littleEndian: bytes[8 * (index + 1)..<8 * (index + 2)]))
        }
    }

    /// What SW_EXITINFO2 says of the request when it is over.
    package static func result(_ info2: UInt64) -> String {
        switch info2 {
        case 0: "done"
        case 0x100 << 32: "failed"
        case 1 << 32 | 1: "invalid header"
        case 1 << 32 | 2: "invalid entry"
        default: "unknown result \(info2.hex)"
        }
    }
}
