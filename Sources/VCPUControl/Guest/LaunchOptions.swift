/// What the user chooses for a launch, besides the guest.
package struct LaunchOptions: Sendable, Hashable {
    package var setup: GHCBSetup
    /// The highest GHCB protocol version that the VM offers, 1 or 2.
    package var ghcbVersion: Int
    /// How the hypervisor answers, where there is a choice.
    package var hypervisor: HypervisorBehaviour
    package var vcpus: Int
    /// Size of the guest's RAM in bytes; sevdbg's own pages lie above it.
    package var memory: UInt64
    /// At most six: what the entry finds in rdi, rsi, rdx, rcx, r8 and r9.
    package var arguments: [Argument]
    /// The position of the C-bit in page-table entries: that of EPYC, and of every SEV guest so far.
    package var cBit = 51
    /// Whether the host debugs through the stub: each vCPU then starts in it, and stops there first.
    package var hasDebugStub: Bool

    /// One argument of the guest's entry.
    package enum Argument: Sendable, Hashable {
        case value(UInt64)
        /// `@vcpu`: the number of the vCPU.
        case vcpuNumber
        /// The address of a symbol.
        case symbol(String)
    }

    package init(
        setup: GHCBSetup = .trampoline, ghcbVersion: Int = 2,
        hypervisor: HypervisorBehaviour = .kvm, vcpus: Int = 1,
        memory: UInt64 = 16 << 20, arguments: [Argument] = [], hasDebugStub: Bool = false
    ) {
        self.setup = setup
        self.ghcbVersion = ghcbVersion
        self.hypervisor = hypervisor
        self.vcpus = vcpus
        self.memory = memory
        self.arguments = arguments
        self.hasDebugStub = hasDebugStub
    }

    /// What a guest asks for.
    package init(_ defaults: LaunchDefaults, ghcbVersion: Int = 2) {
        self.init(
            setup: defaults.setup, ghcbVersion: ghcbVersion, vcpus: defaults.vcpus,
            memory: defaults.memory, arguments: defaults.arguments)
    }
}
