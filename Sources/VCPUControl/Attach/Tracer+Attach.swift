internal import CKVM
internal import Glibc

// Taking hold of the vCPU threads, and letting go of them.
//
// Unsafe: the kernel fills in what it waits for during the call.
extension Tracer {
    /// How long threads have to come to their KVM_RUN, in rounds of 10 ms.
    private static let patience = 200

    /// Holds every vCPU of the process.
    func attach(_ process: Int32, _ vcpus: [ForeignVCPU]) throws(TraceFailure) {
        guard target == nil else { throw .refused("a process is attached to already") }
        inspector = ProcessInspector(process: process)
        let memory = try ProcessMemory(process)
        let mappings = inspector.mappings
        let target = Target(
            memory: memory, cave: try memory.findCave(in: mappings),
            ignored: inspector.ignoredSignals, leftovers: memory.leftovers(in: mappings))
        self.target = target
        var search = try ThreadSearch(process, vcpus)
        defer { search.leave() }
        for _ in 0..<Self.patience {
            let held = Set(tracees.map(\.thread))
            try search.seize(inspector.candidates(search.missing).filter { !held.contains($0) })
            try takeStops(&search, target)
            if search.missing.isEmpty, tracees.allSatisfy({ $0.state == .held }) { break }
            _ = ckvm_poll(-1, signals, 10)
            while ckvm_take_signal(signals) != 0 {}
        }
        tracees.sort { $0.vcpu.number < $1.vcpu.number }
        guard let missing = search.missing.first else { return }
        throw .refused(
            "no thread of process \(process) came to the KVM_RUN of vCPU \(missing.number) within"
                + " 2 s; if its monitor has stopped the VM, resume it there, attach, and let sevdbg hold"
                + " its vCPUs instead")
    }

    private func takeStops(
        _ search: inout ThreadSearch, _ target: Target
    ) throws(TraceFailure) {
        var stop = ckvm_thread_stop()
        while unsafe ckvm_wait(&stop) == 0 {
            let thread = stop.thread
            if let index = tracees.firstIndex(where: { $0.thread == thread }) {
                _ = try handle(stop, of: index)
            } else if let (vcpu, page) = try search.take(stop) {
                let tracee = Tracee(thread: thread, vcpu: vcpu, page: page, target: target)
                tracees.append(tracee)
                _ = try handle(stop, of: tracees.count - 1)
            }
        }
    }

    /// Lets go of everything; what fails is left to the code in the VMM.
    func detach() {
        isLeaving = true
        do throws(TraceFailure) {
            try quiesce()
        } catch {}
        for tracee in tracees { release(tracee) }
        tracees = []
    }

    private func release(_ tracee: Tracee) {
        do throws(TraceFailure) {
            // A signal may come between, more than once.
            for _ in 0..<100 {
                guard try hold(tracee) else { break }
                let pending = inspector.pendingSignals(of: tracee.thread)
                if try tracee.release(pending: pending) { return }
            }
            // It does not come back to its KVM_RUN; our page stays behind, unused.
            ThreadSearch.letGo(tracee.thread)
        } catch {}
    }
}
