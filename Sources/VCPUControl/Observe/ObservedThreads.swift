/// Which threads of a process run the vCPUs of one of its VMs.
struct ObservedThreads {
    private let inspector: VMInspector
    private let vm: ObservedVM
    private var vcpus: [UInt32: Int]
    /// Threads that run none, as far as is known; `nil` where the process has no other VM.
    private var others: Set<UInt32>?

    /// Starts with the threads that ran the VM's vCPUs last.
    ///
    /// - Parameters:
    ///   - vm: the VM.
    ///   - inspector: where others are looked for.
    ///   - isOnly: whether the process has this VM alone.
    init(_ vm: ObservedVM, _ inspector: VMInspector, isOnly: Bool) {
        (self.vm, self.inspector) = (vm, inspector)
        vcpus = vm.threads
        others = isOnly ? nil : []
    }

    /// The vCPU that a thread ran when the VM was last looked at.
    func vcpu(of thread: UInt32) -> Int? { vcpus[thread] }

    /// Whether a thread is the VM's; one that is not known is looked for, once.
    mutating func contains(_ thread: UInt32) -> Bool {
        guard let others, vcpus[thread] == nil else { return true }
        guard !others.contains(thread) else { return false }
        if let now = try? inspector.refreshed(vm) {
            vcpus.merge(now.threads, uniquingKeysWith: { $1 })
        }
        guard vcpus[thread] == nil else { return true }
        self.others?.insert(thread)
        return false
    }
}

extension ObservedVM {
    /// The numbers of the vCPUs by the threads that last ran them.
    fileprivate var threads: [UInt32: Int] {
        let pairs = vcpus.compactMap { vcpu in vcpu.thread.value.map { ($0, vcpu.id) } }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }
}
