/// A guest program, as bytes with their places.
///
/// It is what an ELF file, a flat binary or a built-in guest becomes.
package struct GuestImage: Sendable, Equatable {
    package struct Segment: Sendable, Equatable {
        package var address: GuestPhysicalAddress
        package var bytes: [UInt8]
        /// Size in memory; what `bytes` does not fill is zero.
        package var memorySize: UInt64

        package init(address: GuestPhysicalAddress, bytes: [UInt8], memorySize: UInt64) {
            self.address = address
            self.bytes = bytes
            self.memorySize = memorySize
        }
    }

    package var name: String
    package var entry: GuestVirtualAddress
    package var segments: [Segment]
    /// Page-aligned ranges that are mapped shared: the section `.shared`.
    package var shared: [Range<UInt64>]
    package var symbols: SymbolTable
    /// What it is launched with where the user does not choose.
    package var defaults: LaunchDefaults
    /// What is wrong with the hypervisor that it shows.
    package var hypervisorFaults: HypervisorFault

    package init(
        name: String, entry: GuestVirtualAddress, segments: [Segment], shared: [Range<UInt64>] = [],
        symbols: SymbolTable = SymbolTable(), defaults: LaunchDefaults = LaunchDefaults(),
        hypervisorFaults: HypervisorFault = []
    ) {
        self.name = name
        self.entry = entry
        self.segments = segments
        self.shared = shared
        self.symbols = symbols
        self.defaults = defaults
        self.hypervisorFaults = hypervisorFaults
    }

    /// The guest's own routine for the setup trampoline, where it brings one: `ghcb_trampoline`.
    package var trampoline: GuestVirtualAddress? { symbols["ghcb_trampoline"] }

    /// Where flat binaries, built-in guests and position-independent ELF files are loaded.
    package static let flatAddress: UInt64 = 0x10_0000

    /// A guest without any structure: loaded and entered at `flatAddress`.
    package init(flat bytes: [UInt8], name: String) {
        let segment = Segment(
            address: .init(Self.flatAddress), bytes: bytes, memorySize: UInt64(bytes.count))
        self.init(name: name, entry: .init(Self.flatAddress), segments: [segment])
    }
}

/// A guest that cannot be used; each text says what failed, on what, why, and what to do.
package enum GuestError: Error, Sendable, Equatable {
    /// The file is missing, unreadable or no guest (exit status 66).
    case unusableFile(String)
    /// The options do not fit the guest or each other (exit status 64).
    case badOption(String)
}
