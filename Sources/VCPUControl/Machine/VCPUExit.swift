/// Why a vCPU stopped running, in the words of `KVM_RUN`'s exit reasons (REFERENCE 5e).
///
/// What is large is `indirect`: a value comes with every single step.
package enum VCPUExit: Sendable, Equatable {
    /// The instruction limit of the run is reached.
    case limit
    /// The instruction at RIP has a breakpoint and has not been executed.
    case breakpoint
    /// Watched memory may have changed: something wrote to it, the instruction before RIP or an
    /// exception that was delivered.
    case touched
    /// The `InterruptFlag` was raised.
    case interrupted
    /// A VMGEXIT is over: it counts as one executed instruction, and the guest runs on behind it unless the outcome says otherwise.
    indirect case vmgexit(Exchange)
    /// A port access waits for `complete(_:with:)`; the corresponding exit is `KVM_EXIT_IO`.
    case io(PortAccess)
    /// A memory access outside RAM waits for `complete(_:with:)`; the corresponding exit is `KVM_EXIT_MMIO`.
    case mmio(MMIOAccess)
    /// HLT: the vCPU waits for an interrupt. RIP is behind the HLT. The corresponding exit is `KVM_EXIT_HLT`.
    case halt
    /// The vCPU waits for a SIPI in an AP reset hold; the corresponding exit is `KVM_EXIT_AP_RESET_HOLD`.
    case apResetHold
    /// Triple fault; the text names the exception that started it. The corresponding exit is `KVM_EXIT_SHUTDOWN`.
    case shutdown(String)
    /// The emulator does not know the instruction at RIP; these are its bytes.
    case unimplemented([UInt8])
    /// No vCPU of the scope can run: each is halted, held or ended.
    case idle
    /// A foreign VMM answers this exit, and the vCPU goes on with the next run.
    indirect case passed(PassedExit)
    /// A port or MSR access is over that `setExitStops` asked for, of a VM without SEV-ES.
    indirect case accessed(PassedExit)
    /// The foreign VMM is no more; the text says how it ended.
    case vanished(String)
    /// An exit reason that KVM knows and sevdbg does not.
    case unknown(UInt32)
}

/// An access to I/O ports: `count` units of `size` bytes.
package struct PortAccess: Sendable, Equatable {
    package var port: UInt16
    /// Bytes in one unit: 1, 2 or 4.
    package var size: Int
    package var count: Int
    /// For output `size * count` bytes; for input empty, and the answer must have as many.
    package var data: [UInt8]
    package var isInput: Bool

    package init(port: UInt16, size: Int, count: Int, data: [UInt8], isInput: Bool) {
        self.port = port
        self.size = size
        self.count = count
        self.data = data
        self.isInput = isInput
    }
}

/// An access to guest physical memory where no RAM is.
package struct MMIOAccess: Sendable, Equatable {
    package var address: GuestPhysicalAddress
    package var length: Int
    /// For a write `length` bytes; for a read empty, and the answer must have as many.
    package var data: [UInt8]
    package var isRead: Bool

    package init(address: GuestPhysicalAddress, length: Int, data: [UInt8], isRead: Bool) {
        self.address = address
        self.length = length
        self.data = data
        self.isRead = isRead
    }
}
