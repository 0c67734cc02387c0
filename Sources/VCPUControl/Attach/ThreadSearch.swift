internal import CKVM
internal import Glibc

/// Threads of a VMM that may run one of its vCPUs: seized, and moved on until that is known.
struct ThreadSearch {
    private let process: Int32
    private let stops: ThreadStops
    private(set) var seized: Set<Int32> = []

    init(_ process: Int32, _ stops: ThreadStops) { (self.process, self.stops) = (process, stops) }

    /// Stops threads that may be wanted.
    mutating func seize(_ threads: [Int32]) throws(TraceFailure) {
        for thread in threads where !seized.contains(thread) {
            let result = ckvm_seize(thread)
            if result == -ESRCH { continue }
            guard result == 0 else {
                throw .refused(
                    "cannot trace thread \(thread) of process \(process) (PTRACE_SEIZE: errno"
                        + " \(-result)): " + ProcessInspector(process: process).denial)
            }
            seized.insert(thread)
            _ = ckvm_interrupt(thread)
        }
    }

    /// Leaves a thread to the vCPU that it runs.
    ///
    /// - Returns: whether it is seized.
    mutating func give(_ thread: Int32) -> Bool { seized.remove(thread) != nil }

    /// Moves on a thread that runs none of the vCPUs, as far as is known.
    mutating func take(_ stop: ThreadStop) {
        switch stop.kind {
        case ckvm_stop_gone: seized.remove(stop.thread)
        case ckvm_stop_group: _ = ckvm_listen(stop.thread)
        case ckvm_stop_signal: _ = ckvm_resume(stop.thread, stop.signal)
        default:
            stop.undo()
            _ = ckvm_resume(stop.thread, 0)
        }
    }

    /// Lets go of the threads that were none.
    mutating func leave() {
        for thread in seized { Self.letGo(thread, stops) }
        seized = []
    }

    /// Detaches from a thread that runs, wherever it is in its own code.
    ///
    /// A stop at a system call takes the place of the one that was asked for, and shows the EINTR then.
    static func letGo(_ thread: Int32, _ stops: ThreadStops) {
        _ = ckvm_interrupt(thread)
        for _ in 0..<100 {
            guard let stop = stops.next(of: thread), stop.kind != ckvm_stop_gone else { return }
            switch stop.kind {
            case ckvm_stop_interrupt, ckvm_stop_group, ckvm_stop_exit:
                stop.rewind()
                _ = ckvm_detach(thread, 0)
                return
            // Its call is made after all, or the thread is in front of it already.
            case ckvm_stop_entry where stop.run != nil:
                _ = ckvm_detach(thread, 0)
                return
            case ckvm_stop_signal: _ = ckvm_resume(thread, stop.signal)
            default: _ = ckvm_resume(thread, 0)
            }
        }
    }
}
