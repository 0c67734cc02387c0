/// Where a value that is shown came from.
package enum Provenance: String, Sendable {
    /// Read from the machine itself.
    case direct
    /// Reported by the debug stub inside the guest.
    case selfReport = "self-report"
    /// Taken from a GHCB that the guest shared.
    case ghcb
    /// What the launch sequence put there; the guest may have changed it since.
    case launch
    /// Taken from a kernel tracepoint.
    case tracepoint
    /// Decrypted by the SEV firmware, as the guest's policy allows it.
    case decrypted
}

/// Why a value cannot be had.
package enum Hidden: String, Sendable, Error {
    /// SEV-ES keeps it from the host.
    case protected
    /// The guest did not mark the field valid.
    case notValid = "not valid in bitmap"
    /// KVM overwrote it before anyone could look.
    case wiped = "wiped by KVM"
    /// The vCPU is not in the debug stub, which alone can tell.
    case running = "not in the stub"
    /// The vCPU's thread is in its VMM's own code, where KVM cannot be asked.
    case outside = "outside KVM_RUN"
    /// It is not known where in the VMM the memory lies.
    case unlocated = "not located"
    /// This VM has none.
    case absent = "not there"
    /// No memory or translation is behind the address.
    case unmapped = "not mapped"
    /// Only BPF programs see it, and there are none.
    case needsBPF = "needs BPF"
}

/// A value with its origin, or the reason why there is none: what is not visible is never a zero.
package enum Reading<Value> {
    case known(Value, from: Provenance)
    case hidden(Hidden)

    /// The value, where there is one.
    package var value: Value? {
        if case .known(let value, _) = self { value } else { nil }
    }

    package func map<Other>(_ transform: (Value) -> Other) -> Reading<Other> {
        switch self {
        case .known(let value, let source): .known(transform(value), from: source)
        case .hidden(let reason): .hidden(reason)
        }
    }
}

extension Reading: Sendable where Value: Sendable {}
extension Reading: Equatable where Value: Equatable {}
extension Reading: Hashable where Value: Hashable {}

extension Reading<GuestVirtualAddress> {
    /// `0x100123`, or the reason why the address cannot be had, in angle brackets.
    package var text: String {
        switch self {
        case .known(let address, _): "0x" + String(address.rawValue, radix: 16)
        case .hidden(let reason): "<\(reason.rawValue)>"
        }
    }
}
