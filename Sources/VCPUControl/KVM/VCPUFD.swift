internal import CKVM
internal import SystemPackage

/// One vCPU of KVM, and its `kvm_run`.
struct VCPUFD: ~Copyable {
    let descriptor: KVMDescriptor
    let page: RunPage

    init(_ descriptor: consuming KVMDescriptor, runPageSize: Int) throws(KVMError) {
        page = try RunPage(descriptor, size: runPageSize)
        self.descriptor = descriptor
    }

    /// Runs until the next exit; `KVM_RUN`.
    ///
    /// Signals are dealt with here alone: any that has a handler ends the run with `.interrupted`.
    func run() throws(KVMError) -> KVMExit {
        do throws(Errno) {
            _ = unsafe try descriptor.syscalls.ioctl(descriptor.number, ckvm_run(0))
        } catch {
            if error == .interrupted {
                page.setImmediateExit(false)
                return .interrupted
            }
            // The one exit that comes with an error as well.
            if error == .badAddress, case .memoryFault = page.exit { return page.exit }
            throw .failed(call: "KVM_RUN", on: descriptor.subject, error)
        }
        return page.exit
    }

    /// Runs until the next exit, or a signal, which comes after so many milliseconds at the latest
    /// and as soon as a stop is asked for.
    func run(
        every milliseconds: UInt32, _ interrupt: InterruptFlag? = nil
    ) throws(KVMError) -> KVMExit {
        try Heartbeat.during(every: milliseconds, page, interrupt) {
            Result { () throws(KVMError) in
                interrupt?.isRaised ?? false ? .interrupted : try run()
            }
        }.get()
    }

    /// Finishes what the last exit has left open, and executes nothing.
    func finish() throws(KVMError) {
        page.setImmediateExit(true)
        defer { page.setImmediateExit(false) }
        _ = try run()
    }

    /// Interrupts the vCPU with an NMI; `KVM_NMI`.
    func injectNMI() throws(KVMError) { _ = unsafe try descriptor.perform(ckvm_nmi(0)) }
}
