internal import Glibc

// Stopping at VMGEXITs, or at what would be one.
extension ForeignMachine {
    package func setExitStops(_ filters: [ExitFilter]) throws(MachineError) {
        guard traps != nil || !filters.isEmpty else { return }
        var wanted: [KernelFilter] = []
        for filter in filters {
            let kernel = isProtected ? filter.kernelFilters : filter.accessFilters
            guard !kernel.isEmpty else {
                throw .refused(
                    "this VM is not SEV-ES and makes no VMGEXITs: of what would be one, KVM's"
                        + " tracepoints show port and MSR accesses; use IOIO, MSR, port=… or msr=…")
            }
            wanted += kernel
        }
        do throws(ObserveError) {
            if traps == nil { traps = try makeTraps() }
            try traps?.set(wanted)
        } catch { throw .refused("cannot stop at VMGEXITs: \(error.message)") }
    }

    private func makeTraps() throws(ObserveError) -> ExitTraps {
        guard let vm = host.now else { throw .noBPF(host.limit ?? "the VMM has ended") }
        let ignored = ProcessInspector(process: process.number).ignoredSignals
        let signals = [SIGURG, SIGWINCH]
        guard let signal = signals.first(where: { ignored & 1 << UInt64($0 - 1) != 0 }) else {
            throw .noBPF("the VMM uses SIGURG and SIGWINCH itself, and none is left for a stop")
        }
        let traps = try ExitTraps(
            process: vm.process ?? UInt32(process.number), signal: signal)
        client.send(.trap(signal: signal))
        return traps
    }

    /// What a vCPU was stopped for; nothing where the signal was somebody else's.
    func exits(of vcpu: Int) -> [VCPUExit] {
        guard let traps, let now = observed(vcpu), let thread = now.thread.value else { return [] }
        return traps.take(of: thread).compactMap { record in
            switch record {
            case .request(let side):
                return .vmgexit(Exchange(side, of: vcpu, ghcb: now.vmcb?.ghcb ?? side.msr))
            case .access(_, let kind):
                return .accessed(PassedExit(vcpu: vcpu, rip: rip(of: vcpu), kind: kind))
            case .response: return nil
            }
        }
    }

    /// The live VMCB of a vCPU, where KVM is kvm_amd and BPF is to be had.
    func vmcb(of vcpu: Int) -> ObservedVM.VMCB? { observed(vcpu)?.vmcb }

    private func observed(_ vcpu: Int) -> ObservedVM.VCPU? {
        guard process.vcpus.indices.contains(vcpu) else { return nil }
        let descriptor = Int(process.vcpus[vcpu].descriptor)
        return host.now?.vcpus.first { $0.descriptor == descriptor }
    }
}

extension Exchange {
    /// A request whose answer KVM gives when the guest runs on.
    fileprivate init(_ side: TracepointRecord.Side, of vcpu: Int, ghcb: UInt64) {
        self.init(
            vcpu: vcpu, rip: GuestVirtualAddress(0), msr: side.page == nil ? side.msr : ghcb,
            content: side.page.map { .page(request: $0, response: nil) } ?? .msr(response: nil),
            outcome: .pending)
        rip = .hidden(.protected)
        requestSource = .tracepoint
    }
}
