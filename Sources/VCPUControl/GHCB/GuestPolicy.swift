/// The policy of a guest, as LAUNCH_START takes it; REFERENCE 5b.
package struct GuestPolicy: OptionSet, Hashable, Sendable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Bit 0: the host must not read the guest's memory.
    package static let noDebug = GuestPolicy(rawValue: 1 << 0)
    /// Bit 2: the guest's registers are encrypted.
    package static let sevES = GuestPolicy(rawValue: 1 << 2)

    /// The names of the bits that are set, in ascending order; `bit 9` for one without a name.
    ///
    /// Bits 31:16 are the firmware's version, not flags.
    package var names: [String] { Self.table.names(of: UInt64(rawValue & 0xffff)) }

    /// The least version of the firmware's API, bits 23:16 and 31:24.
    package var firmwareVersion: (major: UInt8, minor: UInt8) {
        (UInt8(truncatingIfNeeded: rawValue >> 16), UInt8(truncatingIfNeeded: rawValue >> 24))
    }

    private static let table = BitNames([
        0: "NODBG", 1: "NOKS", 2: "ES", 3: "NOSEND", 4: "DOMAIN", 5: "SEV",
    ])
}
