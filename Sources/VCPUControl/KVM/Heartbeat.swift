internal import CKVM
internal import SystemPackage

/// Signals to the thread that runs a vCPU, so that no `KVM_RUN` lasts for ever.
enum Heartbeat {
    /// Sends signals to the calling thread while the body runs.
    static func during<Result>(
        every milliseconds: UInt32 = 100, _ body: () -> Result
    ) throws(KVMError) -> Result {
        let result = ckvm_heartbeat_start(milliseconds)
        guard result >= 0 else {
            throw .failed(call: "timer_create", on: "this thread", Errno(rawValue: -result))
        }
        defer { ckvm_heartbeat_stop() }
        return body()
    }
}
