import VCPUControl

extension Hidden {
    /// What stands in the place of a value.
    package var placeholder: String {
        switch self {
        case .protected: "<protected>"
        case .notValid: "<not valid>"
        case .wiped: "<wiped>"
        case .running: "<not in stub>"
        case .needsBPF: "<needs BPF>"
        case .outside: "<in the VMM>"
        case .unlocated: "<not located>"
        case .absent: "<not there>"
        case .unmapped: "<not mapped>"
        }
    }

    /// Why there is nothing to see, as a sentence.
    var explanation: String {
        switch self {
        case .protected: "SEV-ES keeps it from the host"
        case .notValid: "the guest did not mark it valid"
        case .wiped: "KVM overwrote it before it could be read"
        case .running: "the vCPU is not in the debug stub"
        case .needsBPF: "only BPF programs see it, which need root"
        case .outside: "its thread is in the VMM's own code"
        case .unlocated: "where it lies in the VMM is not known"
        case .absent: "this VM has none"
        case .unmapped: "no memory is mapped there"
        }
    }
}

extension Reading {
    /// Where the value came from, or the placeholder of a hidden one.
    var source: String {
        switch self {
        case .known(_, let source): source.rawValue
        case .hidden(let reason): reason.placeholder
        }
    }
}

extension Reading<UInt64> {
    /// The value with 16 digits, or its placeholder; 16 columns wide.
    var cellText: StyledText {
        switch self {
        case .known(let value, _): StyledText(value.hexDigits(16))
        case .hidden(let reason): StyledText(reason.placeholder.padded(16), .hidden)
        }
    }
}
