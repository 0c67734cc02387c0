internal import CBPF

/// Asks the kernel for the VMs of a process: an iterator over its files, which stops nothing.
package final class VMInspector {
    private let process: Int32
    private let object: BPFObject

    /// Loads the iterator.
    ///
    /// - Throws: `noBPF` where that cannot be had.
    package init(of process: Int32) throws(ObserveError) {
        var constants = observe_constants()
        constants.is_svm = UInt32(cbpf_has_svm())
        self.process = process
        object = try BPFObject(.inspect, constants)
    }

    /// Memory slots, vCPUs with their threads, and on kvm_amd their live VMCBs, as they are now.
    package func vms() throws(ObserveError) -> [ObservedVM] {
        let records = try object.records(of: "inspect", process: process)
        guard let vms = ObservedVM.decode(records) else {
            throw .unreadable("the records of process \(process)'s VMs")
        }
        return vms
    }

    /// The VM with this number in the order of their descriptors, or the only one that has vCPUs.
    ///
    /// - Throws: `severalVMs` where it takes a number, or another one, to say which.
    package func choose(_ number: Int?) throws(ObserveError) -> ObservedVM {
        let all = try vms()
        guard let number else {
            let running = all.filter { !$0.vcpus.isEmpty }
            let candidates = running.isEmpty ? all : running
            guard candidates.count == 1 else { throw .severalVMs(process, all) }
            return candidates[0]
        }
        guard all.indices.contains(number) else { throw .severalVMs(process, all) }
        return all[number]
    }

    /// A VM as it is now; as it was, where it is no more.
    package func refreshed(_ vm: ObservedVM) throws(ObserveError) -> ObservedVM {
        try vms().first { $0.isSame(as: vm) } ?? vm
    }
}

extension ObservedVM {
    /// Whether both are the same VM at different times, by the descriptors that the VMM has open.
    func isSame(as other: ObservedVM) -> Bool {
        if let descriptor { return descriptor == other.descriptor }
        return vcpus.first?.descriptor == other.vcpus.first?.descriptor
    }

    /// `descriptor 5, 2 vCPUs, 2048 KiB of memory`.
    var summary: String {
        let head = descriptor.map { "descriptor \($0)" } ?? "descriptor closed"
        let count = vcpus.count == 1 ? "1 vCPU" : "\(vcpus.count) vCPUs"
        let size = (slots.value ?? []).filter { $0.addressSpace == 0 }.reduce(0) { $0 &+ $1.size }
        return "\(head), \(count), \(size / 1024) KiB of memory"
    }
}
