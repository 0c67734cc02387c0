internal import CKVM

/// A VM whose vCPUs are encrypted by the hardware: SEV-ES, by `/dev/kvm` and `/dev/sev`.
///
/// The host sees what the guest shares, and the exits of REFERENCE 5e; all else is hidden, for KVM
/// refuses it. `StubbedMachine` makes it debuggable.
@safe package final class SEVESMachine: Machine {
    let vm: EncryptedVM
    let plan: LaunchPlan
    let interrupt: InterruptFlag
    /// Who sees the VMGEXITs that KVM answers by itself.
    let tracing: (any KVMTracing)?
    /// Why nobody does.
    private let tracingObstacle: String
    private let name: String
    /// What the plan shares, in ascending order.
    let shared: [Range<UInt64>]
    /// The vCPU that runs next.
    var turn = 0
    /// Exits that came while an earlier one had to be reported first.
    var held: [(vcpu: Int, exit: VCPUExit)] = []
    /// What `KVM_RUN`s came to that nobody has looked at yet.
    var arrivals: [(vcpu: Int, result: Result<KVMExit, KVMError>)] = []
    /// The threads of the vCPUs; `nil`: they take turns on that of the caller.
    let threads: VCPUThreads?
    /// How the vCPUs are called back from their threads.
    var recalls: [Recall]

    /// Launches a guest on the hardware; the plan's C-bit and version have to be those of `host()`.
    ///
    /// - Throws: `.refused` where it cannot be launched: what failed, and what mends it.
    package convenience init(
        _ plan: LaunchPlan, interrupt: InterruptFlag = InterruptFlag(),
        schedule: VCPUSchedule = .threads
    ) throws(MachineError) {
        try self.init(
            plan, interrupt: interrupt, schedule: schedule, on: LinuxSyscalls(), name: "sev-es"
        ) {
            vm throws(ObserveError) in
            try KernelTracing(ghcbVersion: vm.facts.ghcbVersion, cBit: plan.cBit)
        }
    }

    /// The same by other system calls.
    init(
        _ plan: LaunchPlan, interrupt: InterruptFlag = InterruptFlag(),
        schedule: VCPUSchedule = .threads, on syscalls: any KVMSyscalls, name: String = "sev-es",
        tracing: (EncryptedVM) throws(ObserveError) -> (any KVMTracing)? = { _ in nil }
    ) throws(MachineError) {
        guard plan.vcpus.allSatisfy({ $0.ghcbMSR == nil }) else {
            throw .refused(
                "the host cannot set MSR_AMD64_SEV_ES_GHCB of an SEV-ES vCPU: "
                    + "use the pool or the trampoline, or full visibility")
        }
        do throws(KVMError) {
            let vm = try EncryptedVM(plan, syscalls)
            try vm.launch(plan)
            self.vm = vm
            threads = try VCPUThreads(schedule, count: plan.vcpus.count)
        } catch { throw .refused("cannot launch an SEV-ES guest: \(error.message)") }
        (self.plan, self.interrupt, self.name) = (plan, interrupt, name)
        shared = plan.sharedRanges
        recalls = plan.vcpus.map { _ in Recall() }
        do throws(ObserveError) {
            self.tracing = try tracing(vm)
            tracingObstacle = "nobody traces KVM"
        } catch {
            self.tracing = nil
            tracingObstacle = error.message
        }
    }

    /// The same machine on the emulator, by a kernel interface that is not the kernel's.
    ///
    /// Everything above the ioctls is what runs on hardware. A traced one sees every VMGEXIT, as on a
    /// host where somebody traces KVM.
    package static func twin(
        _ plan: LaunchPlan, interrupt: InterruptFlag = InterruptFlag(), seed: UInt64 = 0,
        schedule: VCPUSchedule = .turns, isTraced: Bool
    ) throws(MachineError) -> SEVESMachine {
        let twin = KVMTwin(
            KVMTwin.Host(
                cBit: plan.cBit, isTraced: isTraced, hypervisor: plan.hypervisor,
                faults: plan.hypervisorFaults, seed: seed))
        return try SEVESMachine(
            plan, interrupt: interrupt, schedule: schedule, on: twin, name: "emulator",
            tracing: { _ in isTraced ? twin : nil })
    }

    /// What a launch plan for this host needs: the position of the C-bit, and the highest GHCB
    /// protocol version that its KVM offers.
    ///
    /// - Throws: `.refused` where SEV-ES is not to be had.
    package static func host() throws(MachineError) -> (cBit: Int, ghcbVersion: Int) {
        try host(LinuxSyscalls())
    }

    static func host(
        _ syscalls: any KVMSyscalls
    ) throws(MachineError) -> (cBit: Int, ghcbVersion: Int) {
        do throws(KVMError) {
            let host = try EncryptedHost(try SystemFD(syscalls))
            return (host.cBit, host.highestVersion)
        } catch { throw .refused(error.message) }
    }

    package var vcpuCount: Int { vm.vcpus.count }

    package var traits: MachineTraits {
        var traits = MachineTraits(
            name: name, seesProtectedState: false, steps: false, countsInstructions: false,
            reportsExchanges: tracing != nil, presetsGHCB: false)
        let sight =
            tracing == nil
            ? "what the debug stub tells, and what comes to userspace: \(tracingObstacle)"
            : "all, with their pages, by KVM's tracepoints"
        traits.facts = vm.facts.facts + [MachineFact("VMGEXITs", sight)]
        traits.schedule = threads == nil ? .turns : .threads
        return traits
    }

    /// The vCPU's number, if there is one.
    func checked(_ vcpu: Int) throws(MachineError) -> Int {
        guard vm.vcpus.indices.contains(vcpu) else { throw .noSuchVCPU(vcpu) }
        return vcpu
    }

    /// Whether the guest was launched with these bytes shared.
    ///
    /// What it has shared since, it has told nobody.
    func isShared(_ address: UInt64, count: Int) -> Bool {
        guard count >= 0, address <= UInt64.max - UInt64(count) else { return false }
        let end = address + UInt64(count)
        var next = address
        for range in shared where range.contains(next) { next = min(range.upperBound, end) }
        return next == end
    }
}

// What the host sees, and what it does not.
extension SEVESMachine {
    /// KVM counts nothing, and the counter of the hardware is the guest's.
    package func instructions(of vcpu: Int) -> UInt64 { 0 }

    package func registers(of vcpu: Int) -> Reading<RegisterFile> { hidden(vcpu) }
    package func systemRegisters(of vcpu: Int) -> Reading<SystemRegisters> { hidden(vcpu) }

    package func translate(
        _ address: GuestVirtualAddress, on vcpu: Int
    ) -> Reading<Translation?> { hidden(vcpu) }

    private func hidden<Value>(_ vcpu: Int) -> Reading<Value> {
        .hidden(vm.vcpus.indices.contains(vcpu) ? .protected : .unmapped)
    }

    package func setRegister(
        _ register: Register, of vcpu: Int, to value: UInt64
    ) throws(MachineError) {
        throw EmulatedMachine.refusal("cannot set \(register.name)")
    }

    package func setBreakpoints(_ addresses: Set<GuestVirtualAddress>) throws(MachineError) {
        guard addresses.isEmpty else { throw EmulatedMachine.refusal("cannot set breakpoints") }
    }

    package func takeObservations() -> [Observation] { [] }

    package func read(
        _ address: GuestPhysicalAddress, count: Int, as view: MemoryView
    ) -> Reading<[UInt8]> {
        guard let bytes = vm.memory.read(address.rawValue, count: count) else {
            return .hidden(.unmapped)
        }
        switch view {
        case .shared: return .known(bytes, from: .direct)
        case .asUsed:
            let isShared = isShared(address.rawValue, count: count)
            return isShared ? .known(bytes, from: .direct) : .hidden(.protected)
        case .private:
            guard let plain = try? vm.decrypt(address.rawValue, count: count) else {
                return .hidden(.protected)
            }
            return .known(plain, from: .decrypted)
        }
    }

    package func write(
        _ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView
    ) throws(MachineError) {
        guard vm.memory.contains(address.rawValue, count: bytes.count) else {
            throw .noMemory(address, count: bytes.count)
        }
        switch view {
        case .shared: _ = vm.memory.write(bytes, to: address.rawValue)
        case .asUsed:
            guard isShared(address.rawValue, count: bytes.count) else {
                throw EmulatedMachine.refusal("cannot write private memory")
            }
            _ = vm.memory.write(bytes, to: address.rawValue)
        case .private:
            do throws(KVMError) {
                try vm.encrypt(bytes, at: address.rawValue)
            } catch { throw .refused("cannot write private memory: \(error.message)") }
        }
    }

    package func isPrivate(_ page: GuestPhysicalAddress) -> Reading<Bool> {
        guard vm.memory.contains(page.rawValue, count: 1) else { return .hidden(.unmapped) }
        return .hidden(.protected)
    }
}
