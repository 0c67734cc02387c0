internal import CBPF
import Glibc

/// Sees the VMGEXITs of this process's own vCPUs: BPF programs on KVM's tracepoints bring the whole
/// page as the guest left it, and as it finds it (REFERENCE 1a, 6).
///
/// Behind each the vCPU's thread gets the signal of the heartbeat, which ends its `KVM_RUN`.
final class KernelTracing: KVMTracing {
    private let object: BPFObject
    private var ring: BPFRing
    private var joiner: ExchangeJoiner

    private static let programs = [
        "leave_guest", "request_page", "answer_page", "request_msr", "answer_msr",
        "stop_answered_page", "stop_answered_msr",
    ]

    /// Starts to trace the VM of this process that has just been launched.
    ///
    /// - Throws: `noBPF` where the kernel does not let.
    init(ghcbVersion: Int, cBit: Int) throws(ObserveError) {
        let own = try VMInspector(of: getpid()).vms()
        let constants = observe_constants(
            tgid: own.lazy.compactMap(\.process).first ?? UInt32(getpid()),
            is_svm: UInt32(cbpf_has_svm()), thread_mask: Self.threads - 1,
            signal: UInt32(SIGURG))
        object = try BPFObject(.observe, constants, threads: Self.threads)
        ring = try object.ring()
        joiner = ExchangeJoiner(ghcbVersion: ghcbVersion, cBit: cBit)
        for program in Self.programs { try object.attach(program) }
    }

    /// More than vCPUs run at the same time; a power of two.
    private static let threads: UInt32 = 64

    func takeExchanges(isOver: Bool) -> [Exchange] {
        var exchanges: [Exchange] = []
        while let bytes = ring.next() {
            guard let record = TracepointRecord.decode(bytes) else { continue }
            exchanges += joiner.take(record)
        }
        return isOver ? exchanges + joiner.finish() : exchanges
    }

    /// Runs a program once, as if its tracepoint had these arguments.
    func test(_ program: String, arguments: [UInt64]) throws(ObserveError) {
        try object.test(program, arguments: arguments)
    }
}
