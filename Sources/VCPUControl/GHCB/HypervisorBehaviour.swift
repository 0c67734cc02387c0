/// By what a guest's requests are answered (`--hypervisor`) and judged (`--strict`).
package enum HypervisorBehaviour: String, CaseIterable, Sendable {
    /// As KVM of Linux 6.12 does.
    case kvm = "kvm-6.12"
    /// As the GHCB specification says.
    case specification = "spec"

    /// What it is called in a sentence.
    package var title: String {
        switch self {
        case .kvm: "KVM of Linux 6.12"
        case .specification: "the GHCB specification"
        }
    }

    /// Whether the specification's side of a difference counts.
    ///
    /// The answer is the same for every row; naming it leads from the table to the code and back.
    func specifies(_ row: KVMDifference) -> Bool { self == .specification }
}
