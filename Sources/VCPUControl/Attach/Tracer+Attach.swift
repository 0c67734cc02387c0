internal import CKVM

// Taking hold of the vCPU threads, and letting go of them.
extension Tracer {
    /// Holds the vCPUs of a process, at least one: another may wait in the VMM's code for as long as
    /// that one stands still.
    func attach(_ process: Int32, _ vcpus: [ForeignVCPU]) throws(TraceFailure) {
        guard target == nil else { throw .refused("a process is attached to already") }
        inspector = ProcessInspector(process: process)
        let memory = try ProcessMemory(process)
        let mappings = inspector.mappings
        let target = Target(
            memory: memory, stops: stops, cave: try memory.findCave(in: mappings),
            ignored: inspector.ignoredSignals, leftovers: memory.leftovers(in: mappings))
        self.target = target
        tracees = try pages(of: vcpus).map { Tracee($0.0, page: $0.1, target: target) }
        search = ThreadSearch(process, stops)
        try seizeKnown()
        try holdAll()
        for tracee in tracees where tracee.state == .outside { tracee.isAway = true }
        if !hasAllThreads { search?.leave() }
    }

    private func pages(
        of vcpus: [ForeignVCPU]
    ) throws(TraceFailure) -> [(ForeignVCPU, ForeignRunPage)] {
        guard let process = ProcessDescriptor(inspector.process) else {
            throw .refused("process \(inspector.process) has ended")
        }
        var pages: [(ForeignVCPU, ForeignRunPage)] = []
        for vcpu in vcpus.sorted(by: { $0.number < $1.number }) {
            guard vcpu.run != 0 else {
                throw .refused("the VMM has not mapped the kvm_run of vCPU \(vcpu.number) yet")
            }
            let size = Int(vcpu.runSize)
            guard let page = process.runPage(of: vcpu.descriptor, size: size, isWritable: true)
            else {
                throw .refused(
                    "cannot map the kvm_run of vCPU \(vcpu.number): pidfd_getfd needs the permission"
                        + " to trace")
            }
            pages.append((vcpu, page))
        }
        return pages
    }

    /// Seizes the threads that are known to have run vCPUs.
    private func seizeKnown() throws(TraceFailure) {
        let known = Set(tracees.map(\.vcpu.thread)).intersection(inspector.threads)
        try search?.seize(known.sorted())
        let seized = known.filter { search?.give($0) == true }
        for tracee in tracees where seized.contains(tracee.vcpu.thread) {
            tracee.thread = tracee.vcpu.thread
        }
    }

    private func holdAll() throws(TraceFailure) {
        var (patience, hasSearched) = (Patience(), false)
        while let awaited = tracees.first(where: { !isAtHand($0) })?.vcpu.number {
            let isHolding = tracees.contains { $0.state == .held }
            if let end = patience.look(isRunning: inspector.isRunning, isHolding: isHolding) {
                if !isHolding {
                    guard try visitAll() else { throw .refused(text(awaited, end)) }
                    return
                }
                guard !hasSearched, tracees.contains(where: { $0.thread == 0 }) else { return }
                hasSearched = true
                try runSearching(awaited)
            }
            try seizeCandidates()
            try pause(for: awaited)
        }
    }

    /// Takes a VM that its monitor has stopped: until its vCPUs come to their `KVM_RUN`, on whatever
    /// thread, they can be asked about.
    ///
    /// - Returns: whether they can.
    private func visitAll() throws(TraceFailure) -> Bool {
        let known = Set(tracees.map(\.thread))
        try search?.seize(inspector.ownThreads.filter { !known.contains($0) })
        hasAllThreads = true
        guard let first = tracees.first else { return false }
        return try lookAt(first)
    }

    /// Whether the thread of a vCPU is held, at its `KVM_RUN` or at that of another one.
    func isAtHand(_ tracee: Tracee) -> Bool {
        tracees.contains {
            $0.state == .held && ($0 === tracee || tracee.thread != 0 && $0.thread == tracee.thread)
        }
    }

    private func seizeCandidates() throws(TraceFailure) {
        let known = Set(tracees.map(\.thread))
        let awaited = tracees.filter { !isAtHand($0) }.map(\.vcpu)
        try search?.seize(inspector.candidates(awaited).filter { !known.contains($0) })
    }

    /// Lets the vCPUs that are held run on for a while: their threads may run others in turn, or others
    /// wait for them.
    private func runSearching(_ awaited: Int) throws(TraceFailure) {
        let end = ContinuousClock.now + .milliseconds(300)
        while .now < end, tracees.contains(where: { $0.thread == 0 }) {
            for tracee in tracees where tracee.state == .held { try tracee.start(.off) }
            try seizeCandidates()
            try pause(for: awaited)
        }
        try quiesce()
    }

    private func text(_ vcpu: Int, _ end: Patience.End) -> String {
        let head = "no thread of process \(inspector.process) came to the KVM_RUN of vCPU \(vcpu)"
        return switch end {
        case .idle:
            head
                + ", none has done anything for 2 s, and none waits where it could be asked; if the"
                + " process is stopped, let it go on (kill -CONT)"
        case .late:
            head + " within 60 s, although they run, and none waits where it could be asked; if the"
                + " host has too much to do, try again"
        }
    }

    /// Waits a moment for the next stop; the debugger may not want to wait any longer.
    private func pause(for vcpu: Int) throws(TraceFailure) {
        guard try wait(milliseconds: 10) == .request(.interrupt) else { return }
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
        // Who waits for one that is held comes when that has been let go of.
        let held = tracees.filter { $0.state == .held }.map(\.thread)
        let threads = Set(tracees.map(\.thread)).subtracting([0])
        for thread in held + threads.subtracting(held).sorted() { release(thread) }
        search?.leave()
        tracees = []
    }

    private func release(_ thread: Int32) {
        let own = tracees.filter { $0.thread == thread && $0.code != 0 }
        for tracee in own { tracee.isAway = false }
        do throws(TraceFailure) {
            // A signal may come between, more than once.
            for _ in 0..<100 {
                guard let held = try hold(own) else { break }
                for other in own where other !== held { try held.free(other) }
                let pending = inspector.pendingSignals(of: thread)
                if try held.release(pending: pending) { return }
            }
            // There is nothing of ours, or it does not come back to its KVM_RUN, and that stays behind.
            ThreadSearch.letGo(thread, stops)
        } catch {}
    }
}
