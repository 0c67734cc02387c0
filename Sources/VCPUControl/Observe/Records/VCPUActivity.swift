/// What one vCPU's thread did since it is observed.
package struct VCPUActivity: Sendable, Equatable {
    package var thread: UInt32
    /// The vCPU's number; `nil` before the guest's first exit.
    package var vcpu: Int?
    /// Exits of the guest to KVM, until it runs again; the most frequent first.
    package var hardware: [Exits]
    /// Returns of `KVM_RUN` to the VMM, until it calls again.
    package var userspace: [Exits]
    /// What the guest reached for.
    package var places: [Place]
    /// Accesses to places that found no counter.
    package var otherPlaces: UInt64
    /// `KVM_RUN` that returned an error, EINTR included.
    package var failed: UInt64
    /// VMGEXITs whose records found no room.
    package var lost: UInt32

    /// Exits for one reason.
    package struct Exits: Sendable, Equatable {
        package var reason: ExitReason
        package var count: UInt64
        /// How many were timed.
        package var timed: UInt64
        /// All of these together.
        package var nanoseconds: UInt64
        package var longest: UInt64

        /// `nil` where none has been timed.
        package var meanNanoseconds: UInt64? { timed == 0 ? nil : nanoseconds / timed }
    }

    /// A port, an MMIO address or an MSR.
    package struct Place: Sendable, Equatable {
        package enum Kind: UInt64, Sendable {
            case port = 1
            case mmio
            case msr

            package var name: String {
                switch self {
                case .port: "port"
                case .mmio: "mmio"
                case .msr: "msr"
                }
            }
        }

        package var kind: Kind
        package var isWrite: Bool
        package var address: UInt64
        package var count: UInt64
    }
}

// MARK: - From the counters of the program `observe`

extension VCPUActivity {
    private static let reasons = 0x111
    /// The position of code 0x400; those behind 0x40f share the last counter.
    private static let reasons400 = 0x100
    private static let userspaceReasons = 64
    private static let placeCount = 64

    /// The size of `struct observe_counters`.
    static let recordSize =
        6 * 4 + 6 * 8 + 32 * (reasons + userspaceReasons) + 16 * placeCount

    /// Reads `struct observe_counters`.
    ///
    /// - Returns: `nil` for one that no thread uses, or too few bytes.
    static func decode(_ bytes: [UInt8]) -> VCPUActivity? {
        var reader = RecordReader(bytes)
        guard let thread = reader.word32(), thread != 0, let isa = reader.word32(),
            let vcpu = reader.word32(), let lost = reader.word32(), reader.bytes(8 + 4 * 8) != nil,
            let failed = reader.word64(), let otherPlaces = reader.word64(),
            let hardware = exits(
                reasons, from: &reader, { ExitReason(position: $0, isa: isa) }),
            let userspace = exits(
                userspaceReasons, from: &reader, { .userspace(UInt32($0)) }),
            let places = places(from: &reader)
        else { return nil }
        return VCPUActivity(
            thread: thread, vcpu: isa == 0 ? nil : Int(vcpu), hardware: hardware,
            userspace: userspace, places: places,
            otherPlaces: otherPlaces, failed: failed, lost: lost)
    }

    private static func exits(
        _ number: Int, from reader: inout RecordReader, _ reason: (Int) -> ExitReason
    ) -> [Exits]? {
        var found: [Exits] = []
        for position in 0..<number {
            guard let count = reader.word64(), let timed = reader.word64(),
                let nanoseconds = reader.word64(), let longest = reader.word64()
            else { return nil }
            guard count > 0 else { continue }
            found.append(
                Exits(
                    reason: reason(position), count: count, timed: timed, nanoseconds: nanoseconds,
                    longest: longest))
        }
        return found.sorted { $0.count > $1.count }
    }

    private static func places(from reader: inout RecordReader) -> [Place]? {
        var found: [Place] = []
        for _ in 0..<placeCount {
            guard let key = reader.word64(), let count = reader.word64() else { return nil }
            guard let kind = Place.Kind(rawValue: key >> 60) else { continue }
            found.append(
                Place(
                    kind: kind, isWrite: key >> 59 & 1 != 0, address: key & (~0 >> 5), count: count)
            )
        }
        return found.sorted { $0.count > $1.count }
    }
}

extension ExitReason {
    /// The reason that a counter of `observe` is for.
    fileprivate init(position: Int, isa: UInt32) {
        switch (isa, position) {
        case (_, 0x110...): self = .unknown
        case (2, 0x100...): self = .svm(ExitCode(UInt64(position + 0x300)))
        case (2, _): self = .svm(ExitCode(UInt64(position)))
        case (1, _): self = .vmx(UInt32(position))
        default: self = .unknown
        }
    }
}
