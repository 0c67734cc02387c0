/// Where the guest of a session comes from.
enum SessionOrigin {
    /// sevdbg has launched it, and can launch it anew.
    case launched(LaunchPlan)
    /// A VMM of its own runs it.
    case attached(AttachedGuest)

    var plan: LaunchPlan? {
        if case .launched(let plan) = self { plan } else { nil }
    }
}

/// A guest that another process runs.
package struct AttachedGuest: Sendable, Equatable {
    /// The process of its VMM.
    package var process: Int32
    /// The name of the VMM's program.
    package var name: String

    package init(process: Int32, name: String) { (self.process, self.name) = (process, name) }

    /// How messages call it.
    var title: String { "\(name) (process \(process))" }
}

extension Session {
    /// A session over a guest that a foreign VMM runs; the first event is `.launch`.
    ///
    /// - Parameters:
    ///   - guest: whose it is.
    ///   - machine: the VM, held.
    ///   - vcpu: the vCPU that commands are about at first.
    ///   - breakpoints: arguments of the `break` command.
    ///   - interruptFlag: raised by whoever wants the guest to stop.
    /// - Throws: `.machine` for a vCPU that there is not, `.breakpoint` for a place that there is not.
    package convenience init(
        attachedTo guest: AttachedGuest, _ machine: any Machine, vcpu: Int = 0,
        breakpoints: [String] = [], interruptFlag: InterruptFlag = InterruptFlag()
    ) throws(SessionError) {
        guard (0..<machine.vcpuCount).contains(vcpu) else {
            throw .machine(
                .refused(
                    "\(guest.title) has no vCPU \(vcpu); it has 0 to \(machine.vcpuCount - 1)"))
        }
        // Of the guest itself nothing is known but whose it is: no bytes, no entry, no symbols.
        let image = GuestImage(name: guest.title, entry: .init(0), segments: [])
        let configuration = SessionConfiguration(
            image: image, options: LaunchOptions(), breakpoints: breakpoints,
            interruptFlag: interruptFlag
        ) { _, _, _ throws(MachineError) in throw .refused("sevdbg has not launched this guest") }
        try self.init(configuration, .attached(guest), machine)
        current = vcpu
    }

    var plan: LaunchPlan? { origin.plan }

    var attached: AttachedGuest? {
        if case .attached(let guest) = origin { guest } else { nil }
    }

    /// For what only a guest can do that sevdbg has launched.
    func requireLaunch(_ command: String) throws(CommandFailure) {
        guard let attached else { return }
        throw CommandFailure(
            "\(command): sevdbg is attached to \(attached.title) and has not launched its guest;"
                + " use `sevdbg launch` for a guest of your own")
    }

    /// Leaves a guest that lives on without sevdbg.
    func detach() throws(CommandFailure) {
        guard attached != nil else {
            throw CommandFailure("detach: a guest that sevdbg launched cannot outlive it: use quit")
        }
        close()
    }
}

// What `info` says of an attached guest.
extension AttachedGuest {
    func setupLines(_ memory: GuestMemoryMap) -> [String] {
        [
            ("guest", "of \(title)"), ("machine", "attached: KVM, driven by its own VMM"),
            ("GHCB setup", "the guest's own, unknown to sevdbg"),
            ("memory", memory.origin.rawValue),
        ].map { $0.0.padded(to: 12) + $0.1 }
    }

}

extension GuestMemoryMap {
    var lines: [String] {
        ["Guest memory by: " + origin.rawValue] + (limit.map { ["  " + $0] } ?? [])
            + slots.map { slot in
                "0x" + slot.guest.hexDigits(9) + "-0x" + (slot.guest &+ slot.size &- 1).hexDigits(9)
                    + "\(slot.size / 1024) KiB".paddedLeft(to: 14)
                    + "  at \(slot.host.hex) of the VMM"
            }
    }
}
