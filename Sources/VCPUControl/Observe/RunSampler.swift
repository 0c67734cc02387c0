internal import CBPF
import Glibc

/// Watches VMs through the `kvm_run` that KVM shares with the VMM, mapped read-only: what anyone can
/// who may trace the VMM.
package final class RunSampler: VMObserver {
    /// One `kvm_run` of a vCPU.
    ///
    /// Unsafe: the mapping is used here only, and unmapped once.
    @safe
    private struct Run: ~Copyable {
        private let start: UnsafeRawPointer

        init?(_ process: borrowing ProcessDescriptor, _ descriptor: Int32) {
            guard let start = unsafe cbpf_map_run(process.number, descriptor) else { return nil }
            unsafe self.start = start
        }

        deinit { unsafe cbpf_unmap_run(start) }

        var exitReason: ExitReason { ExitReason(kvmRun: unsafe cbpf_exit_reason(start)) }
    }

    /// A vCPU with what was found so far.
    private final class VCPU {
        let id: Int
        let descriptor: Int32
        private let run: Run
        private var counts: [ExitReason: Int] = [:]

        init?(_ process: borrowing ProcessDescriptor, id: Int, descriptor: Int32) {
            guard let run = Run(process, descriptor) else { return nil }
            (self.id, self.descriptor) = (id, descriptor)
            self.run = run
        }

        func sample() { counts[run.exitReason, default: 0] += 1 }

        var lastExit: ExitReason { run.exitReason }

        var samples: ObservedSamples {
            let reasons = counts.map { ObservedSamples.Count(reason: $0.key, count: $0.value) }
            return ObservedSamples(
                vcpu: id,
                reasons: reasons.sorted {
                    ($1.count, $0.reason.number) < ($0.count, $1.reason.number)
                })
        }
    }

    package let start: ObserveStart
    package private(set) var isOver = false
    private let descriptor: ProcessDescriptor
    private let vcpus: [VCPU]
    private let clock = ContinuousClock()
    private let beginning: ContinuousClock.Instant

    /// Starts to watch a process.
    ///
    /// - Parameters:
    ///   - pid: the VMM.
    ///   - reason: why it is not an `Observer`.
    /// - Throws: what keeps its vCPUs from this user.
    package init(_ pid: Int32, because reason: String) throws(ObserveError) {
        let process = try VMMProcess(pid)
        guard process.hasOneVM else { throw .indistinct(pid, reason) }
        descriptor = try ProcessDescriptor(pid)
        var found: [VCPU] = []
        for (id, number) in process.vcpus {
            guard let vcpu = VCPU(descriptor, id: id, descriptor: number) else {
                throw .closed(pid, errno: errno)
            }
            found.append(vcpu)
        }
        vcpus = found
        start = ObserveStart(
            process: pid, name: process.name, vms: Self.vms(process, found),
            limit: "\(reason); so kvm_run is sampled. BPF would show memory slots, vCPU threads,"
                + " every exit with its latency, and VMGEXITs with their GHCB pages")
        beginning = clock.now
    }

    /// Which VM a vCPU belongs to is not to be had.
    private static func vms(_ process: VMMProcess, _ vcpus: [VCPU]) -> [ObservedVM] {
        let listed = vcpus.map { vcpu in
            ObservedVM.VCPU(
                id: vcpu.id, descriptor: Int(vcpu.descriptor), thread: .hidden(.needsBPF),
                exits: .hidden(.needsBPF), lastExit: vcpu.lastExit)
        }
        return [
            ObservedVM(
                descriptor: process.vms.first.map { Int($0) }, slots: .hidden(.needsBPF),
                vcpus: listed)
        ]
    }

    /// Takes one sample of each vCPU.
    package func next(milliseconds: Int32) -> [ObserveEvent] {
        isOver = descriptor.wait(or: -1, milliseconds: min(milliseconds, 1)) || isOver
        if !isOver { for vcpu in vcpus { vcpu.sample() } }
        return []
    }

    package func vms() throws(ObserveError) -> [ObservedVM] {
        Self.vms(try VMMProcess(start.process), vcpus)
    }

    package func activity() -> ObserveEvent {
        .samples(seconds: (clock.now - beginning) / .seconds(1), vcpus.map(\.samples))
    }

    package func end(_ reason: ObserveEnd.Reason) -> [ObserveEvent] {
        [.ended(ObserveEnd(reason: reason, vmgexits: 0, findings: 0, lost: 0))]
    }
}
