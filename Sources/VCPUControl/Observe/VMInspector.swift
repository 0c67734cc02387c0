internal import CBPF

/// Asks the kernel for the VMs of a process, once.
package enum VMInspector {
    /// Memory slots, vCPUs with their threads, and on kvm_amd their live VMCBs.
    ///
    /// - Throws: `noBPF` where that cannot be had.
    package static func vms(of pid: Int32) throws(ObserveError) -> [ObservedVM] {
        var constants = observe_constants()
        constants.is_svm = UInt32(cbpf_has_svm())
        let object = try BPFObject(.inspect, constants)
        let records = try object.records(of: "inspect", process: pid)
        guard let vms = ObservedVM.decode(records) else {
            throw .unreadable("the records of process \(pid)'s VMs")
        }
        return vms
    }
}
