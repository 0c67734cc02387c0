/// Why a process cannot be observed.
package enum ObserveError: Error, Sendable, Equatable {
    /// The process, or its vCPUs, are not to be had.
    case process(AttachError)
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
        case .process(let error): error.message
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

extension ProcessInspector {
    /// The VMs and vCPUs of a process that is to be observed.
    func observe() throws(ObserveError) -> ForeignProcess {
        do throws(AttachError) { return try list() } catch { throw .process(error) }
    }
}
