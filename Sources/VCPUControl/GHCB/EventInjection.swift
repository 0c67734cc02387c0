/// An exception vector of x86, 0…31; APM volume 2, section 8.2.
package struct ExceptionVector: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let invalidOpcode = ExceptionVector(rawValue: 6)
    package static let generalProtection = ExceptionVector(rawValue: 13)

    /// The mnemonic without `#`; `nil` for reserved vectors.
    package var mnemonic: String? {
        switch rawValue {
        case 0: "DE"
        case 1: "DB"
        case 2: "NMI"
        case 3: "BP"
        case 4: "OF"
        case 5: "BR"
        case 6: "UD"
        case 7: "NM"
        case 8: "DF"
        case 10: "TS"
        case 11: "NP"
        case 12: "SS"
        case 13: "GP"
        case 14: "PF"
        case 16: "MF"
        case 17: "AC"
        case 18: "MC"
        case 19: "XF"
        case 21: "CP"
        case 28: "HV"
        case 29: "VC"
        case 30: "SX"
        default: nil
        }
    }

    /// `#GP`, or `vector 15` where there is no mnemonic.
    package var name: String { mnemonic.map { "#" + $0 } ?? "vector \(rawValue)" }
}

/// An event in the format of the VMCB's EVENTINJ field; APM volume 2, section 15.20; REFERENCE 3c.
package struct EventInjection: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Builds a valid event; an error code marks itself valid.
    package init(_ vector: ExceptionVector, _ kind: Kind = .exception, errorCode: UInt32? = nil) {
        rawValue = 1 << 31 | UInt64(kind.rawValue) << 8 | UInt64(vector.rawValue)
        if let errorCode { rawValue |= 1 << 11 | UInt64(errorCode) << 32 }
    }

    /// Bits 10:8.
    package enum Kind: UInt8, Sendable {
        case interrupt = 0
        case nmi = 2
        case exception = 3
        case softwareInterrupt = 4
    }

    package var vector: ExceptionVector { .init(rawValue: UInt8(truncatingIfNeeded: rawValue)) }
    /// `nil` for a reserved type.
    package var kind: Kind? { Kind(rawValue: UInt8(rawValue >> 8 & 7)) }
    /// Bit 31.
    package var isValid: Bool { rawValue & 1 << 31 != 0 }
    /// Bits 63:32, where bit 11 says that they count.
    package var errorCode: UInt32? {
        rawValue & 1 << 11 != 0 ? UInt32(truncatingIfNeeded: rawValue >> 32) : nil
    }

    /// What KVM asks for when an MSR access fails: #GP with no error code marked valid.
    package static let refusedMSR = EventInjection(.generalProtection)
    /// #UD.
    package static let invalidOpcode = EventInjection(.invalidOpcode)
    /// #GP(0) as KVM itself delivers it.
    package static let generalProtection = EventInjection(.generalProtection, errorCode: 0)

    /// Whether a Linux guest raises it: a valid exception, and #GP or #UD.
    package var isAcceptable: Bool {
        isValid && kind == .exception && [.generalProtection, .invalidOpcode].contains(vector)
    }

    /// `#GP`, `#GP(0x10)` or `interrupt 0x20`.
    package var name: String {
        let number = vector.rawValue.hex
        switch kind {
        case .exception: return vector.name + (errorCode.map { "(\($0.hex))" } ?? "")
        case .interrupt: return "interrupt " + number
        case .nmi: return "NMI"
        case .softwareInterrupt: return "software interrupt " + number
        case nil: return "event of reserved type, vector " + number
        }
    }
}
