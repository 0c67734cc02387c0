/// What a guest is launched with where the user does not choose.
package struct LaunchDefaults: Sendable, Equatable {
    package var setup: GHCBSetup
    package var vcpus: Int
    /// Size of the guest's RAM in bytes.
    package var memory: UInt64
    /// What the entry finds in the argument registers; at most six.
    package var arguments: [LaunchOptions.Argument]
    /// Whether the guest makes sense under its own setup only.
    package var isBoundToSetup: Bool

    package init(
        setup: GHCBSetup = .trampoline, vcpus: Int = 1, memory: UInt64 = 16 << 20,
        arguments: [LaunchOptions.Argument] = [], isBoundToSetup: Bool = false
    ) {
        self.setup = setup
        self.vcpus = vcpus
        self.memory = memory
        self.arguments = arguments
        self.isBoundToSetup = isBoundToSetup
    }
}
