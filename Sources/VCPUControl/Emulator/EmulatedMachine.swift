/// A VM whose vCPUs are emulated: SEV-ES without the hardware, and KVM's side of the GHCB.
///
/// Deterministic: the same plan and seed give the same instructions, exits and memory, whatever
/// the host does. Running is in `EmulatedMachine+Run.swift`. `KVMMachine` is this machine with
/// other hands: it overrides how instructions are executed, and nothing else.
///
/// Unsafe: the vCPUs lie in a block of their own and are changed in place, so that a single step
/// neither copies nor allocates. All but what `KVMMachine` overrides is `final`, for the same reason.
@safe package class EmulatedMachine: Machine {
    let guest: GuestMemory
    let vcpus: UnsafeMutablePointer<EmulatedVCPU>
    package let vcpuCount: Int
    let visibility: Visibility
    let interrupt: InterruptFlag
    final var hypervisor: HypervisorModel
    final var activities: Activities
    final var nmis: [PendingNMI]
    final var scheduler = Scheduler()
    final var breakpoints: Set<UInt64> = []
    final var observations: [Observation] = []
    /// Stops every vCPU, unseen from outside, when it comes to the guest's entry.
    final var entries: EntryWatch
    /// The vCPU whose exit the last run returned, if it stood still there.
    final var stoodStill: Int? = 0
    /// Instructions that all vCPUs have executed.
    final var executed: UInt64 = 0
    /// How vCPUs ended a round in which another was reported first.
    final var arrivals: [(vcpu: Int, exit: CoreExit)] = []

    /// Builds the VM of a launch plan.
    ///
    /// - Parameters:
    ///   - plan: memory and vCPUs at the first instruction.
    ///   - visibility: what the machine shows of protected state.
    ///   - interrupt: raised to stop a run.
    ///   - seed: the source of the VM's key and of all its random numbers.
    /// - Throws: `.refused` where the host lacks memory, or the plan presets the GHCB MSR with
    ///   the visibility of hardware; `.noMemory` for a region outside RAM.
    package init(
        _ plan: LaunchPlan, visibility: Visibility = .full,
        interrupt: InterruptFlag = InterruptFlag(), seed: UInt64 = 0
    ) throws(MachineError) {
        if visibility == .hardware, plan.vcpus.contains(where: { $0.ghcbMSR != nil }) {
            throw .refused(
                "the host cannot set MSR_AMD64_SEV_ES_GHCB of an SEV-ES vCPU: "
                    + "use the pool or the trampoline, or full visibility")
        }
        let pages = Int(min(plan.ramSize >> 12, 1 << 40))
        guard let guest = GuestMemory(pages: pages, cBit: plan.cBit, key: seed) else {
            throw .refused(
                "no host memory for \(plan.ramSize) bytes of RAM: use a smaller --memory")
        }
        try Self.load(plan.regions, into: guest)
        self.guest = guest
        self.visibility = visibility
        self.interrupt = interrupt
        vcpuCount = plan.vcpus.count
        hypervisor = HypervisorModel(
            ghcbVersion: plan.ghcbVersion, behaviour: plan.hypervisor, cBit: plan.cBit,
            vcpus: plan.vcpus.count, faults: plan.hypervisorFaults)
        activities = Activities(count: plan.vcpus.count)
        nmis = Array(repeating: PendingNMI(), count: plan.vcpus.count)
        entries = EntryWatch(plan)
        unsafe vcpus = .allocate(capacity: max(plan.vcpus.count, 1))
        for (number, start) in plan.vcpus.enumerated() {
            var vcpu = EmulatedVCPU(start, guest: guest, resetMSR: hypervisor.resetMSR)
            vcpu.entropy = seed &+ UInt64(number) << 32
            unsafe (vcpus + number).initialize(to: vcpu)
        }
        placeBreakpoints()
        for number in plan.vcpus.indices { noteEntry(of: number) }
    }

    deinit {
        unsafe vcpus.deinitialize(count: vcpuCount)
        unsafe vcpus.deallocate()
    }

    /// Puts private regions into private form, as LAUNCH_UPDATE_DATA does; shared ones stay.
    private static func load(
        _ regions: [LaunchPlan.Region], into guest: GuestMemory
    ) throws(MachineError) {
        for region in regions {
            let (address, count) = (region.address.rawValue, region.bytes.count)
            guard guest.contains(address, count: count) else {
                throw .noMemory(region.address, count: count)
            }
            guest.eachPage(of: address, count: count) { page, _, _ in
                if !region.isPrivate { unsafe guest.states[page].insert(.shared) }
            }
        }
        for region in regions {
            let view: MemoryView = region.isPrivate ? .private : .shared
            _ = guest.write(region.bytes, to: region.address.rawValue, as: view)
        }
    }

    package var traits: MachineTraits {
        let isFull = visibility == .full
        return MachineTraits(
            name: "emulator", seesProtectedState: isFull, steps: isFull, presetsGHCB: isFull)
    }

    /// Executes up to `limit` instructions of one vCPU, and says why it stopped.
    func execute(_ number: Int, limit: UInt64) -> CoreExit {
        unsafe vcpus[number].run(limit: limit)
    }

    /// Whether the machine can execute vCPUs at the same time.
    var runsAtOnce: Bool { false }

    /// Executes up to `limit` instructions of each of these vCPUs.
    func execute(_ numbers: [Int], limit: UInt64) -> [CoreExit] {
        numbers.map { execute($0, limit: limit) }
    }

    /// The vCPU's number, if there is one.
    func checked(_ vcpu: Int) throws(MachineError) -> Int {
        guard vcpu >= 0, vcpu < vcpuCount else { throw .noSuchVCPU(vcpu) }
        return vcpu
    }

    /// A sentence for what SEV-ES keeps from the host.
    static func refusal(_ what: String) -> MachineError {
        .refused(
            "\(what): SEV-ES keeps the guest's state from the host; "
                + "use the debug stub, or --visibility full")
    }
}

extension EmulatedVCPU {
    /// A vCPU at its first instruction.
    init(_ start: LaunchPlan.VCPU, guest: GuestMemory, resetMSR: UInt64) {
        self.init(memory: VirtualMemory(guest: guest))
        for number in 0..<16 as Range<UInt8> {
            if let register = Register(rawValue: number) {
                gpr[Int(number)] = start.registers[register]
            }
        }
        rip = start.registers[.rip]
        flags.value = start.registers[.rflags] & FlagBits.defined | FlagBits.alwaysOne
        system = start.system
        system.ghcb = start.ghcbMSR ?? resetMSR
        systemStateChanged()
    }
}
