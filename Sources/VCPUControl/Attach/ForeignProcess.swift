/// A vCPU of a foreign process, as /proc shows it.
package struct ForeignVCPU: Sendable, Equatable {
    /// KVM's number of the vCPU.
    package var number: Int
    /// Its descriptor in the process.
    package var descriptor: Int32
    /// Where the process has mapped its `struct kvm_run`; 0 where it has not.
    package var run: UInt64 = 0
    package var runSize: UInt64 = 0
    /// The thread that last ran it; 0: none, or it is not known.
    package var thread: Int32 = 0
}

/// One line of /proc/PID/maps.
package struct ForeignMapping: Sendable, Equatable {
    package var range: Range<UInt64>
    /// As the kernel writes it: `rw-p`.
    package var permissions: String
    /// The file or the name in brackets; empty for anonymous memory.
    package var name: String

    /// Takes `7f…-7f… rw-p 00000000 00:00 0    name`.
    package init?(_ line: some StringProtocol) {
        let words = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard words.count >= 5 else { return nil }
        let bounds = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
        guard bounds.count == 2, bounds[0] < bounds[1] else { return nil }
        range = bounds[0]..<bounds[1]
        permissions = String(words[1])
        name = words.count == 6 ? String(words[5].drop { $0 == " " }) : ""
    }
}

/// A process that runs a KVM VM, as its user sees it from outside.
package struct ForeignProcess: Sendable, Equatable {
    package var number: Int32
    /// The name of its program, for messages.
    package var name: String
    /// In the order of their numbers.
    package var vcpus: [ForeignVCPU] = []
    /// The descriptors of its VMs that are open.
    package var vms: [Int32] = []
    package var mappings: [ForeignMapping] = []

    /// Whether all vCPUs must belong to the same VM.
    var hasOneVM: Bool { vms.count <= 1 && Set(vcpus.map(\.number)).count == vcpus.count }
}

/// A process that cannot be attached to, and why.
package enum AttachError: Error, Sendable, Equatable {
    case noProcess(Int32)
    /// The process has no descriptor of a KVM VM with vCPUs.
    case noVM(Int32, name: String)
    case is32Bit(Int32, name: String)
    case seccomp(Int32, name: String)
    case traced(Int32, name: String, by: Int32)
    /// The text says what is missing, and how to get it.
    case notPermitted(Int32, String)
    /// The tracer's sentence.
    case failed(String)

    /// The sentence for the user: what failed, on what, why, and what to do.
    package var message: String {
        switch self {
        case .noProcess(let number): "there is no process \(number); `pgrep -a qemu` lists QEMUs"
        case .noVM(let number, let name):
            "process \(number) (\(name)) runs no KVM VM: none of its descriptors is"
                + " anon_inode:kvm-vcpu; give the process of the VMM itself"
        case .is32Bit(let number, let name):
            "process \(number) (\(name)) is a 32-bit program: sevdbg injects 64-bit system calls;"
                + " use a 64-bit VMM"
        case .seccomp(let number, let name):
            "process \(number) (\(name)) runs under a seccomp filter, which could kill it for a"
                + " system call that it does not expect; start it without one (qemu -sandbox off,"
                + " firecracker --no-seccomp, cloud-hypervisor --seccomp false, crosvm"
                + " --disable-sandbox), or use `sevdbg attach --observe`"
        case .traced(let number, let name, let tracer):
            "process \(number) (\(name)) is traced by process \(tracer) already, and Linux allows"
                + " one tracer: detach that one first"
        case .notPermitted(let number, let text): "cannot attach to process \(number): \(text)"
        case .failed(let text): text
        }
    }
}
