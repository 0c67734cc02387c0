/// Who sees the VMGEXITs that KVM answers by itself, and interrupts `KVM_RUN` behind each of them.
///
/// The tracepoints of REFERENCE 6 with a BPF program on them can be it; without, a host sees of such
/// an exchange nothing.
protocol KVMTracing: AnyObject {
    /// The exchanges that are over since the last call, in order.
    func takeExchanges() -> [Exchange]
}
