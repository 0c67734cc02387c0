internal import CKVM

// Taking hold of the vCPU threads, and letting go of them.
extension Tracer {
    /// Holds every vCPU of the process.
    func attach(_ process: Int32, _ vcpus: [ForeignVCPU]) throws(TraceFailure) {
        guard target == nil else { throw .refused("a process is attached to already") }
        inspector = ProcessInspector(process: process)
        let memory = try ProcessMemory(process)
        let mappings = inspector.mappings
        let target = Target(
            memory: memory, stops: stops, cave: try memory.findCave(in: mappings),
            ignored: inspector.ignoredSignals, leftovers: memory.leftovers(in: mappings))
        self.target = target
        var search = try ThreadSearch(process, vcpus, stops)
        defer { search.leave() }
        var patience = Patience()
        while true {
            try takeStops(&search, target)
            if search.missing.isEmpty, tracees.allSatisfy({ $0.state == .held }) { break }
            if let end = patience.look(isRunning: inspector.isRunning) {
                throw .refused(text(awaited(search), end))
            }
            let held = Set(tracees.map(\.thread))
            try search.seize(inspector.candidates(search.missing).filter { !held.contains($0) })
            try pause(for: awaited(search))
        }
        tracees.sort { $0.vcpu.number < $1.vcpu.number }
    }

    private func takeStops(_ search: inout ThreadSearch, _ target: Target) throws(TraceFailure) {
        while let stop = stops.next() {
            if let index = tracees.firstIndex(where: { $0.thread == stop.thread }) {
                _ = try handle(stop, of: index)
            } else if let (vcpu, page) = search.take(stop) {
                let tracee = Tracee(thread: stop.thread, vcpu: vcpu, page: page, target: target)
                tracees.append(tracee)
                _ = try handle(stop, of: tracees.count - 1)
            }
        }
    }

    /// The number of a vCPU whose thread has not come yet.
    private func awaited(_ search: ThreadSearch) -> Int {
        let outside = tracees.first { $0.state != .held }
        return (search.missing.first ?? outside?.vcpu)?.number ?? 0
    }

    private func text(_ vcpu: Int, _ end: Patience.End) -> String {
        let head = "no thread of process \(inspector.process) came to the KVM_RUN of vCPU \(vcpu)"
        return switch end {
        case .idle:
            head + ", and none has done anything for 2 s; if its monitor has stopped the VM, resume"
                + " it there, attach, and let sevdbg hold its vCPUs instead"
        case .late:
            head + " within 60 s, although they run; if its monitor has stopped this VM, resume it"
                + " there; if the host has too much to do, try again"
        }
    }

    /// Waits a moment for the next stop; the debugger may not want to wait any longer.
    private func pause(for vcpu: Int) throws(TraceFailure) {
        let ready = ckvm_poll(channel, signals, 10)
        if ready & 2 != 0 { try takeSignals() }
        guard ready & 1 != 0, try receive() == .interrupt else { return }
        throw .refused(
            "interrupted while a thread of process \(inspector.process) was to come to the KVM_RUN"
                + " of vCPU \(vcpu); the VMM runs on")
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
            ThreadSearch.letGo(tracee.thread, stops)
        } catch {}
    }
}
