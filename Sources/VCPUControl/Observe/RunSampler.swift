/// Watches VMs through the `kvm_run` that KVM shares with the VMM, mapped read-only: what anyone can
/// who may trace the VMM.
package final class RunSampler: VMObserver {
    /// A vCPU with what was found so far.
    private final class VCPU {
        let id: Int
        let descriptor: Int32
        private let run: ForeignRunPage
        private var counts: [ExitReason: Int] = [:]

        init?(_ process: borrowing ProcessDescriptor, _ vcpu: ForeignVCPU) {
            let page = process.runPage(of: vcpu.descriptor, size: 4096, isWritable: false)
            guard let page else { return nil }
            (id, descriptor, run) = (vcpu.number, vcpu.descriptor, page)
        }

        func sample() { counts[lastExit, default: 0] += 1 }

        var lastExit: ExitReason { ExitReason(kvmRun: run.exitReason) }

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
        let inspector = ProcessInspector(process: pid)
        let process = try inspector.observe()
        guard process.hasOneVM else { throw .indistinct(pid, reason) }
        guard let descriptor = ProcessDescriptor(pid) else { throw .process(.noProcess(pid)) }
        var found: [VCPU] = []
        for vcpu in process.vcpus {
            guard let vcpu = VCPU(descriptor, vcpu) else {
                throw .process(.notPermitted(pid, inspector.denial))
            }
            found.append(vcpu)
        }
        self.descriptor = descriptor
        vcpus = found
        start = ObserveStart(
            process: pid, name: process.name, vms: Self.vms(process, found),
            limit: "\(reason); so kvm_run is sampled. BPF would show memory slots, vCPU threads,"
                + " every exit with its latency, and VMGEXITs with their GHCB pages")
        beginning = clock.now
    }

    /// Which VM a vCPU belongs to is not to be had.
    private static func vms(_ process: ForeignProcess, _ vcpus: [VCPU]) -> [ObservedVM] {
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
        Self.vms(try ProcessInspector(process: start.process).observe(), vcpus)
    }

    package func activity() -> ObserveEvent {
        .samples(seconds: (clock.now - beginning) / .seconds(1), vcpus.map(\.samples))
    }

    package func end(_ reason: ObserveEnd.Reason) -> [ObserveEvent] {
        [.ended(ObserveEnd(reason: reason, vmgexits: 0, findings: 0, lost: 0))]
    }
}
