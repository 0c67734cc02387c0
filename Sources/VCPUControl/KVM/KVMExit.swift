/// Why `KVM_RUN` came back: the reasons of REFERENCE 5e, and those of a plain vCPU.
enum KVMExit: Equatable {
    /// `KVM_EXIT_EXCEPTION`.
    case exception(vector: UInt32, errorCode: UInt32)
    /// `KVM_EXIT_IO`; the data is that of an output.
    case port(PortAccess)
    /// `KVM_EXIT_HYPERCALL`.
    case hypercall(number: UInt64, arguments: [UInt64])
    /// `KVM_EXIT_DEBUG`: a step is over, or a breakpoint is reached.
    case debug(vector: UInt32, pc: UInt64, dr6: UInt64, dr7: UInt64)
    /// `KVM_EXIT_HLT`; RIP is behind it.
    case halt
    /// `KVM_EXIT_MMIO`.
    case memory(MMIOAccess)
    /// `KVM_EXIT_SHUTDOWN`: a triple fault.
    case shutdown
    /// `KVM_EXIT_FAIL_ENTRY`.
    case failedEntry(reason: UInt64, cpu: UInt32)
    /// `KVM_EXIT_INTR`, and EINTR: a signal came, or `immediate_exit` was set.
    case interrupted
    /// `KVM_EXIT_INTERNAL_ERROR`.
    case internalError(suberror: UInt32, data: [UInt64])
    /// `KVM_EXIT_SYSTEM_EVENT`; 6 is `KVM_SYSTEM_EVENT_SEV_TERM`, whose data is the GHCB MSR.
    case systemEvent(type: UInt32, data: UInt64?)
    /// `KVM_EXIT_X86_RDMSR`.
    case readMSR(UInt32, reason: UInt32)
    /// `KVM_EXIT_X86_WRMSR`.
    case writeMSR(UInt32, UInt64, reason: UInt32)
    /// `KVM_EXIT_AP_RESET_HOLD`.
    case apResetHold
    /// `KVM_EXIT_MEMORY_FAULT`.
    case memoryFault(flags: UInt64, address: UInt64, size: UInt64)
    /// A reason that KVM knows and sevdbg does not.
    case unknown(UInt32)
}
