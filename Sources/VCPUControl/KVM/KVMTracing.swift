/// Who sees the VMGEXITs that KVM answers by itself, and interrupts `KVM_RUN` behind each of them.
///
/// `KernelTracing` is it where BPF is allowed; without, a host sees of such an exchange nothing.
protocol KVMTracing: AnyObject {
    /// The exchanges that are over since the last call, in order; `isOver` says that the VM has
    /// ended, so that what is open never gets an answer.
    func takeExchanges(isOver: Bool) -> [Exchange]
}
