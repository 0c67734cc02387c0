/// What the host's kernel says of a VM that is attached to, through BPF, and where it has to do without.
final class KernelView {
    private let inspector: VMInspector?
    private let vm: ObservedVM?
    /// Why there is no BPF; `nil` where there is.
    let limit: String?

    /// Chooses one of the VMs of a process; without BPF there must be no choice.
    init(of process: ForeignProcess, vm number: Int?) throws(AttachError) {
        let found: (inspector: VMInspector?, vm: ObservedVM?, limit: String?)
        do throws(ObserveError) {
            let inspector = try VMInspector(of: process.number)
            found = (inspector, try inspector.choose(number), nil)
        } catch {
            guard case .noBPF(let reason) = error else { throw .failed(error.message) }
            guard process.hasOneVM, number ?? 0 == 0 else {
                throw .failed(ObserveError.indistinct(process.number, reason).message)
            }
            found = (nil, nil, reason)
        }
        (inspector, vm, limit) = found
    }

    /// Those of the process's vCPUs that are the VM's.
    func vcpus(of process: ForeignProcess) -> [ForeignVCPU] {
        guard let vm else { return process.vcpus }
        // Elsewhere the kernel numbers threads as this process does not know them.
        let isSameSpace = vm.process == UInt32(process.number)
        return process.vcpus.compactMap { vcpu in
            guard let seen = vm.vcpus.first(where: { $0.descriptor == Int(vcpu.descriptor) })
            else { return nil }
            var vcpu = vcpu
            if isSameSpace { vcpu.thread = Int32(truncatingIfNeeded: seen.thread.value ?? 0) }
            return vcpu
        }
    }

    /// The VM as it is now.
    var now: ObservedVM? { vm.flatMap { try? inspector?.refreshed($0) } }
}

extension ForeignMachine {
    /// KVM's memory slots, asked for at most once between two runs; else what was found at attach.
    package var guestMemory: GuestMemoryMap {
        cache.memory ?? takeMemory(host.now)
    }

    /// Takes from what the kernel says where guest memory is.
    @discardableResult func takeMemory(_ now: ObservedVM?) -> GuestMemoryMap {
        var map = now.flatMap(GuestMemoryMap.init) ?? foundMemory
        map.limit = host.limit ?? map.limit
        cache.memory = map
        if map.slots != tracerSlots, !isGone { client.send(.memory(map.slots)) }
        tracerSlots = map.slots
        return map
    }

    /// Tells the tracer what the VMM has told KVM for a debugger of its own.
    func passDebug(_ now: ObservedVM?) {
        for (index, vcpu) in process.vcpus.enumerated() {
            let seen = now?.vcpus.first { $0.descriptor == Int(vcpu.descriptor) }
            if let debug = seen?.debug { client.send(.debug(vcpu: index, debug)) }
        }
    }
}
