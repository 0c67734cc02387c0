/// By what the guest's requests are answered and judged: `--hypervisor`, `--strict`.
package enum HypervisorBehaviour: String, CaseIterable, Sendable {
    /// As KVM of Linux 6.12 does.
    case kvm = "kvm-6.12"
    /// As the GHCB specification says.
    case specification = "spec"
}
