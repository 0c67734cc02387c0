internal import CBPF

/// Watches VMs through BPF programs on KVM's tracepoints.
package final class Observer: VMObserver {
    /// More records at once would keep the reader from everything else.
    private static let mostRecords = 256
    private static let fewestCounters: UInt32 = 64
    private static let mostCounters: UInt32 = 1 << 14

    package let start: ObserveStart
    package private(set) var isOver = false
    private let descriptor: ProcessDescriptor
    private let object: BPFObject
    private var ring: BPFRing
    private let counters: UInt32
    private let inspector: VMInspector
    private let vm: ObservedVM
    private var vmThreads: ObservedThreads
    private var exchanges: ObservedExchanges
    private var sampling = ProgramSampling()
    private let clock = ContinuousClock()
    private let beginning: ContinuousClock.Instant

    /// Starts to watch a process.
    ///
    /// - Parameters:
    ///   - pid: the VMM.
    ///   - number: which of its VMs; `nil` is the only one.
    /// - Throws: `noBPF` where a `RunSampler` may do, `severalVMs` where it is not clear which.
    package init(_ pid: Int32, vm number: Int? = nil) throws(ObserveError) {
        let process = try ProcessInspector(process: pid).observe()
        guard let descriptor = ProcessDescriptor(pid) else { throw .process(.noProcess(pid)) }
        self.descriptor = descriptor
        inspector = try VMInspector(of: pid)
        vm = try inspector.choose(number)
        let vms = try inspector.vms()
        counters = Self.counters(for: vms)
        let constants = observe_constants(
            tgid: vm.process ?? UInt32(pid), is_svm: UInt32(cbpf_has_svm()),
            thread_mask: counters - 1, signal: 0)
        object = try BPFObject(.observe, constants, threads: counters)
        for program in Self.programs { try object.attach(program) }
        ring = try object.ring()
        start = ObserveStart(process: pid, name: process.name, vms: [vm])
        vmThreads = ObservedThreads(vm, inspector, isOnly: vms.count == 1)
        exchanges = ObservedExchanges(vm)
        beginning = clock.now
    }

    private static let programs = [
        "leave_guest", "enter_userspace", "request_page", "answer_page", "request_msr",
        "answer_msr",
    ]

    /// Four for each vCPU, for threads are found by hashing.
    private static func counters(for vms: [ObservedVM]) -> UInt32 {
        let wanted = UInt32(clamping: 4 * vms.reduce(0) { $0 + $1.vcpus.count })
        var count = fewestCounters
        while count < min(wanted, mostCounters) { count *= 2 }
        return count
    }

    package func next(milliseconds: Int32) -> [ObserveEvent] {
        sampling.update(object, elapsed: clock.now - beginning) { threads() }
        let pause = sampling.isBrief ? min(milliseconds, 10) : milliseconds
        isOver = descriptor.wait(or: ring.descriptor, milliseconds: pause) || isOver
        return drain()
    }

    /// The records that are there, but for those that come faster than they can be read.
    private func drain() -> [ObserveEvent] {
        var events: [ObserveEvent] = []
        for _ in 0..<Self.mostRecords {
            guard let bytes = ring.next() else { break }
            guard let record = TracepointRecord.decode(bytes), vmThreads.contains(record.thread)
            else { continue }
            events += exchanges.take(record)
        }
        return events
    }

    package func activity() -> ObserveEvent {
        let found = threads().map {
            ObservedActivity(vcpu: vmThreads.vcpu(of: $0.thread) ?? $0.vcpu, activity: $0)
        }
        let sorted = found.sorted {
            ($0.vcpu ?? .max, $0.activity.thread) < ($1.vcpu ?? .max, $1.activity.thread)
        }
        let elapsed = clock.now - beginning
        return .activity(
            seconds: elapsed / .seconds(1), sampled: sampling.share(of: elapsed), sorted)
    }

    package func vms() throws(ObserveError) -> [ObservedVM] {
        [try inspector.refreshed(vm)]
    }

    private func threads() -> [VCPUActivity] {
        let all = (0..<counters).compactMap { object.counters(at: $0).flatMap(VCPUActivity.decode) }
        return all.filter { vmThreads.contains($0.thread) }
    }

    package func end(_ reason: ObserveEnd.Reason) -> [ObserveEvent] {
        var events = drain()
        events += exchanges.finish()
        let lost = threads().reduce(0) { $0 + Int($1.lost) }
        events.append(
            .ended(
                ObserveEnd(
                    reason: reason, vmgexits: exchanges.count, findings: exchanges.findings,
                    lost: max(lost, exchanges.unjoined))))
        return events
    }
}
