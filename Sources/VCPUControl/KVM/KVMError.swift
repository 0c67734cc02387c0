internal import CKVM
package import SystemPackage

/// Something that KVM does not do.
package enum KVMError: Error, Sendable, Equatable {
    /// A system call failed: its name, what it was about, and why.
    case failed(call: String, on: String, Errno)
    /// A command of SEV failed, in KVM or in the firmware.
    case refused(SEVCommand, Errno, SEVFirmwareError)
    /// This KVM cannot do what sevdbg needs; the text says what.
    case lacks(String)

    /// The sentence for the user: what failed, on what, why, and what to do.
    package var message: String {
        if case .lacks(let what) = self { return "\(what); use --machine emulator" }
        return remedy.map { "\(summary): \($0)" } ?? summary
    }

    /// What failed, on what, and why.
    package var summary: String {
        switch self {
        case .failed(let call, let subject, let error):
            "\(call) on \(subject) fails with \(Self.name(of: error)) (\(error))"
        case .refused(let command, let error, let firmware):
            "\(command.name) fails with \(Self.name(of: error)) (\(error))"
                + (firmware.meaning.map { ": \($0)" } ?? "")
        case .lacks(let what): what
        }
    }

    /// What to do; `nil` where nothing helps in general.
    package var remedy: String? {
        switch self {
        case .failed(_, SEVDevice.path, let error): Self.firmwareAdvice(error)
        case .failed(let call, _, let error): Self.advice(call, error)
        case .refused(let command, let error, .success): command.advice(error)
        case .refused(_, _, let firmware): firmware.remedy
        case .lacks: nil
        }
    }

    /// The symbol of an errno, as man pages have it.
    static func name(of error: Errno) -> String {
        // The names are constants of the C library.
        unsafe String(cString: ckvm_errno_name(error.rawValue))
    }

    private static func firmwareAdvice(_ error: Errno) -> String? {
        switch error {
        case .noSuchFileOrDirectory:
            "`sudo modprobe ccp`, on an EPYC with SEV-ES on in the BIOS"
        case .permissionDenied, .notPermitted:
            "let your group use it with `sudo chgrp kvm /dev/sev && sudo chmod 660 /dev/sev`"
        default: nil
        }
    }

    private static func advice(_ call: String, _ error: Errno) -> String? {
        switch (call, error) {
        case ("open", .noSuchFileOrDirectory):
            "load the module with `sudo modprobe kvm_amd` (Intel: kvm_intel), or allow nested"
                + " virtualization where this is a VM itself; else use --machine emulator"
        case ("open", .permissionDenied), ("open", .notPermitted):
            "join its group with `sudo usermod -aG kvm $USER` and log in again, or let one user in"
                + " with `sudo setfacl -m u:$USER:rw /dev/kvm`"
        case ("open", .noSuchAddressOrDevice), ("open", .operationNotSupportedByDevice):
            "the CPU or its firmware has virtualization off; use --machine emulator"
        case ("KVM_CREATE_VM", .invalidArgument):
            "this KVM has no VMs of that type: `sevdbg doctor` says what is missing"
        case (_, .resourceBusy): "another hypervisor may hold the CPU: unload it"
        case ("KVM_MEMORY_ENCRYPT_REG_REGION", .noMemory):
            "memory is pinned: raise RLIMIT_MEMLOCK with `ulimit -l unlimited`"
        case (_, .noMemory): "the host has not enough memory: use a smaller --memory"
        case ("KVM_CREATE_VCPU", .invalidArgument): "this KVM has fewer vCPUs: use fewer --vcpus"
        case (_, .tooManyOpenFiles): "allow more with `ulimit -n`, or use fewer --vcpus"
        default: nil
        }
    }
}
