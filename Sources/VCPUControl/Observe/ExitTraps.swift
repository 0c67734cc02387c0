internal import CBPF

/// Stops the vCPUs that a tracer holds at exits: BPF programs on KVM's tracepoints send the thread a
/// signal, which the tracer takes.
///
/// The programs go with this object, and leave threads alone that nobody traces.
final class ExitTraps {
    private let object: BPFObject
    private var ring: BPFRing
    private var links: [KernelFilter.Event: BPFObject.Link] = [:]
    /// Records that have not been asked for.
    private var records: [TracepointRecord] = []

    /// Loads the programs, and attaches none.
    ///
    /// - Parameters:
    ///   - process: the VMM as the kernel numbers it.
    ///   - signal: one that does nothing to the VMM.
    /// - Throws: the kernel's refusal.
    init(process: UInt32, signal: Int32) throws(ObserveError) {
        var constants = observe_constants()
        (constants.tgid, constants.signal) = (process, UInt32(signal))
        object = try BPFObject(.stop, constants)
        ring = try object.ring()
    }

    /// Replaces what is stopped at; the kernel may stop at more, never at less.
    func set(_ filters: [KernelFilter]) throws(ObserveError) {
        for event in KernelFilter.Event.allCases {
            let wanted = KernelFilter.union(of: filters.filter { $0.event == event })
            try object.setFilter(wanted?.value ?? observe_filter(), at: event.rawValue)
            if wanted != nil, links[event] == nil {
                links[event] = try object.attach(event.program)
            } else if wanted == nil, let link = links.removeValue(forKey: event) {
                object.detach(link)
            }
        }
    }

    /// Takes what a thread was stopped for.
    ///
    /// - Parameter thread: as the kernel numbers it.
    /// - Returns: its records, in order.
    func take(of thread: UInt32) -> [TracepointRecord] {
        while let bytes = ring.next() {
            if let record = TracepointRecord.decode(bytes) { records.append(record) }
        }
        defer { records.removeAll { $0.thread == thread } }
        return records.filter { $0.thread == thread }
    }
}
