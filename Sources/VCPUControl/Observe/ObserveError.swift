/// Why a process cannot be observed.
package enum ObserveError: Error, Sendable, Equatable {
    case noProcess(Int32)
    /// The process has no VM: its name.
    case noVM(Int32, name: String)
    /// The process belongs to somebody else.
    case foreign(Int32, owner: UInt32, user: UInt32)
    /// The vCPUs of a process of the same user cannot be had either.
    case closed(Int32, errno: Int32)
    /// The process has several VMs, or not the one that was asked for.
    case severalVMs(Int32, [ObservedVM])
    /// It has several, and without BPF, for this reason, nobody can tell whose a vCPU is.
    case indistinct(Int32, String)
    /// BPF is not to be had: why, and what to do.
    case noBPF(String)
    /// What the kernel wrote is no record.
    case unreadable(String)

    /// What failed, on what, why, and what to do.
    package var message: String {
        switch self {
        case .noProcess(let pid):
            "cannot observe process \(pid): there is none; `pgrep -a qemu` lists QEMU's"
        case .noVM(let pid, let name):
            "cannot observe process \(pid) (\(name)): it has no KVM VM open, neither a kvm-vm nor a"
                + " kvm-vcpu descriptor; give the PID of the VMM itself"
        case .foreign(let pid, let owner, let user):
            "cannot observe process \(pid): it belongs to uid \(owner) and you are uid \(user);"
                + " use that user, or root (CAP_SYS_PTRACE, for observing more CAP_BPF and"
                + " CAP_PERFMON)"
        case .closed(let pid, let errno):
            "cannot observe process \(pid): its vCPUs cannot be opened (errno \(errno)); it may not"
                + " be dumpable, or Yama's ptrace_scope forbids it; root (CAP_SYS_PTRACE) may"
        case .severalVMs(let pid, let vms):
            "process \(pid) has these VMs, say which with --vm N: "
                + vms.enumerated().map { "\($0) (\($1.summary))" }.joined(separator: "; ")
        case .indistinct(let pid, let reason):
            "process \(pid) has several VMs, and only BPF can tell whose a vCPU is: \(reason)"
        case .noBPF(let reason): reason
        case .unreadable(let what): "cannot read \(what) of the kernel: not what this version knows"
        }
    }
}
