internal import CKVM
internal import SystemPackage

/// Signals to the thread that runs a vCPU, so that no `KVM_RUN` lasts for ever.
///
/// Unsafe: the signal handler gets the address of `immediate_exit` for the time of one call.
enum Heartbeat {
    /// Sends signals to the calling thread while the body runs the vCPU of a page, and lets a stop
    /// that is asked for send one at once.
    static func during<Result>(
        every milliseconds: UInt32, _ page: borrowing RunPage,
        _ interrupt: InterruptFlag? = nil, _ body: () -> Result
    ) throws(KVMError) -> Result {
        let result = unsafe ckvm_heartbeat_start(milliseconds, page.immediateExit)
        guard result >= 0 else {
            throw .failed(call: "timer_create", on: "this thread", Errno(rawValue: -result))
        }
        defer { ckvm_heartbeat_stop() }
        return interrupt?.kicking(during: body) ?? body()
    }

    /// Ends the signals to the calling thread, which is at its own end.
    static func end() { ckvm_heartbeat_end() }
}
