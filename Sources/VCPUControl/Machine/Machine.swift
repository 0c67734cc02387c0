/// Which vCPUs a run lets execute.
package enum RunScope: Sendable, Equatable {
    case one(Int)
    case all
}

/// How a private page is looked at.
package enum MemoryView: Sendable, Equatable {
    /// As the guest sees it through a mapping with the C-bit.
    case `private`
    /// As the hypervisor and every mapping without the C-bit see it: private pages are scrambled.
    case shared
    /// Each page in the way the guest last used it.
    case asUsed
}

/// What the guest's page tables say of an address.
package struct Translation: Sendable, Equatable {
    package var address: GuestPhysicalAddress
    /// The C-bit of the mapping.
    package var isPrivate: Bool

    package init(address: GuestPhysicalAddress, isPrivate: Bool) {
        self.address = address
        self.isPrivate = isPrivate
    }
}

/// Bytes in guest memory that are watched for changes.
package struct WatchedBytes: Sendable, Hashable {
    package var address: GuestPhysicalAddress
    package var count: Int

    package init(_ address: GuestPhysicalAddress, count: Int) {
        (self.address, self.count) = (address, count)
    }

    /// Their addresses; none where they would not end in the address space.
    package var range: Range<UInt64> {
        let (end, overflows) = address.rawValue.addingReportingOverflow(UInt64(max(0, count)))
        return address.rawValue..<(overflows ? address.rawValue : end)
    }
}

/// How the host gets at a vCPU's registers, steps it and stops it at an address.
package enum Debugging: Sendable, Equatable {
    /// By the machine itself.
    case direct
    /// By the debug stub in the guest; the sentences say where that ends.
    case stub(limits: [String])
}

extension Debugging {
    /// The word in the JSON records.
    package var name: String {
        switch self {
        case .direct: "direct"
        case .stub: "stub"
        }
    }

    package var text: String {
        switch self {
        case .direct: "direct"
        case .stub: "through the stub"
        }
    }

    /// Where it ends; none where the machine itself does it.
    package var limits: [String] {
        switch self {
        case .direct: []
        case .stub(let limits): limits
        }
    }
}

/// Something that is known of a launch, for the user to see.
package struct MachineFact: Sendable, Equatable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        (self.name, self.value) = (name, value)
    }
}

/// What a machine can do, asked before a call.
package struct MachineTraits: Sendable, Equatable {
    package var name: String
    package var debugging: Debugging
    /// Whether registers and private memory can be read from outside the guest.
    package var seesProtectedState: Bool
    /// Whether a vCPU can be stopped after one instruction and at an address.
    package var steps: Bool
    /// Whether all instructions of a vCPU are counted; else only those that are stepped.
    package var countsInstructions: Bool
    /// Whether a run ends with each VMGEXIT; KVM's userspace sees of most of them nothing.
    package var reportsExchanges: Bool
    /// Whether the host may preset the GHCB MSR (setup `host`).
    package var presetsGHCB: Bool
    /// What is not as on SEV-ES hardware, in sentences for the user.
    package var differences: [String] = []
    /// Whether the vCPUs' GHCB MSRs can be read.
    package var readsGHCB: Bool
    /// How the vCPUs share time.
    package var schedule = VCPUSchedule.turns
    /// What there is to say of this launch.
    package var facts: [MachineFact] = []

    package init(
        name: String, debugging: Debugging = .direct, seesProtectedState: Bool, steps: Bool,
        countsInstructions: Bool = true, reportsExchanges: Bool = true, presetsGHCB: Bool,
        readsGHCB: Bool = true
    ) {
        self.name = name
        self.debugging = debugging
        self.seesProtectedState = seesProtectedState
        self.steps = steps
        self.countsInstructions = countsInstructions
        self.reportsExchanges = reportsExchanges
        self.presetsGHCB = presetsGHCB
        self.readsGHCB = readsGHCB
    }
}

/// A call that a machine cannot carry out.
package enum MachineError: Error, Sendable, Equatable {
    /// The machine refuses the operation; the text says what, why, and what to do.
    case refused(String)
    /// No RAM is behind these bytes.
    case noMemory(GuestPhysicalAddress, count: Int)
    case noSuchVCPU(Int)
}

/// One VM as KVM's userspace sees it: the seam between the debugger and whatever runs the guest.
///
/// Not thread safe; the `InterruptFlag` a machine is made with may be raised by any thread.
package protocol Machine: AnyObject {
    var traits: MachineTraits { get }
    var vcpuCount: Int { get }

    /// Runs until something happens or `limit` instructions are executed, over all vCPUs of the scope.
    ///
    /// A limit of 0 executes nothing, and returns what vCPUs have come to before, if anything.
    /// An exchange or a port or memory access that was completed since is finished first, and reported, before the next
    /// instruction. A vCPU that stands on a breakpoint executes that instruction first. The corresponding ioctl is `KVM_RUN`.
    /// - Returns: the exit and the vCPU it belongs to.
    func run(_ scope: RunScope, limit: UInt64) throws(MachineError) -> (vcpu: Int, exit: VCPUExit)

    /// Answers the access that the last `.io` or `.mmio` exit of this vCPU left open; empty for output.
    func complete(_ vcpu: Int, with data: [UInt8]) throws(MachineError)

    /// Lets a vCPU that executed HLT go on behind it, without an interrupt.
    ///
    /// With KVM the next `KVM_RUN` does, where the VM has no interrupt controller in the kernel.
    func resume(_ vcpu: Int) throws(MachineError)
    /// Makes an NMI pending; the corresponding ioctl is `KVM_NMI`.
    ///
    /// It is delivered with the next run, and ends a HLT. The next one waits for the guest's NMI
    /// complete event (0x80000003), as KVM cannot see the IRET of an SEV-ES guest.
    func injectNMI(_ vcpu: Int) throws(MachineError)
    /// Lets a vCPU come to where its state can be read, if it stands elsewhere and can come there
    /// without executing an instruction of the guest's; called when a session stops at it.
    ///
    /// Exits on the way are returned by the runs that follow.
    func settle(_ vcpu: Int)

    /// Instructions that the vCPU has executed since launch; one iteration of REP is one.
    ///
    /// A machine that cannot count them counts those that it was asked to step.
    func instructions(of vcpu: Int) -> UInt64

    /// Whether the vCPU of a foreign VM is in its VMM's code, not in `KVM_RUN`: it runs when that lets it.
    func isOutside(_ vcpu: Int) -> Bool

    /// The vCPU's registers; hidden under SEV-ES (`KVM_GET_REGS` fails with EINVAL).
    func registers(of vcpu: Int) -> Reading<RegisterFile>
    func setRegister(_ register: Register, of vcpu: Int, to value: UInt64) throws(MachineError)
    func systemRegisters(of vcpu: Int) -> Reading<SystemRegisters>

    /// Walks the guest's page tables without setting any bit in them; `nil`: not mapped.
    func translate(_ address: GuestVirtualAddress, on vcpu: Int) -> Reading<Translation?>
    /// Reads guest physical memory; hidden where the view is protected or no RAM is there.
    func read(_ address: GuestPhysicalAddress, count: Int, as view: MemoryView) -> Reading<[UInt8]>
    func write(_ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView)
        throws(MachineError)
    /// Whether the guest last used the page as private; hidden where no RAM is.
    func isPrivate(_ page: GuestPhysicalAddress) -> Reading<Bool>

    /// What vCPUs did that lint rules judge besides VMGEXITs, in order, since the last call.
    ///
    /// Empty where the machine cannot see it; a rule whose observation never comes never fires.
    func takeObservations() -> [Observation]

    /// Replaces the set of addresses at which every vCPU stops before execution.
    func setBreakpoints(_ addresses: Set<GuestVirtualAddress>) throws(MachineError)

    /// Replaces the memory that every vCPU stops behind an instruction that changes it, with `.touched`.
    ///
    /// What others change, the hypervisor for one, ends no run by itself.
    func setWatchpoints(_ bytes: [WatchedBytes]) throws(MachineError)

    /// Replaces the VMGEXITs that a run must not miss, for a machine that has to be asked for them.
    ///
    /// A VM without SEV-ES stops at the accesses that would be VMGEXITs under it, where the machine
    /// sees those.
    func setExitStops(_ filters: [ExitFilter]) throws(MachineError)

    /// Sets a register outside the register file, where the machine can.
    func setSystemRegister(_ register: SystemRegisterName, of vcpu: Int, to value: UInt64)
        throws(MachineError)
    /// Any model-specific register by its number, where the machine shows them; `KVM_GET_MSRS`.
    func modelSpecificRegister(_ number: UInt32, of vcpu: Int) -> Reading<UInt64>
    func setModelSpecificRegister(_ number: UInt32, of vcpu: Int, to value: UInt64)
        throws(MachineError)

    /// Where the memory of the guest of a foreign VMM lies.
    var guestMemory: GuestMemoryMap { get }

    /// Leaves a VM that lives on without sevdbg; one that does not ends with its object.
    func leave()
}

// What most machines have nothing to add to.
extension Machine {
    package func isOutside(_ vcpu: Int) -> Bool { false }
    package func setExitStops(_ filters: [ExitFilter]) throws(MachineError) {}
    package func setWatchpoints(_ bytes: [WatchedBytes]) throws(MachineError) {
        guard bytes.isEmpty else { throw .refused("\(traits.name) cannot watch memory") }
    }

    package func setSystemRegister(
        _ register: SystemRegisterName, of vcpu: Int, to value: UInt64
    ) throws(MachineError) {
        throw .refused(
            "$\(register.rawValue) cannot be set: only the general registers, $rip and $rflags can")
    }

    package func modelSpecificRegister(_ number: UInt32, of vcpu: Int) -> Reading<UInt64> {
        .hidden(.absent)
    }

    package func setModelSpecificRegister(
        _ number: UInt32, of vcpu: Int, to value: UInt64
    ) throws(MachineError) {
        throw .refused("MSR \(number.hex) cannot be set on \(traits.name)")
    }

    package var guestMemory: GuestMemoryMap { GuestMemoryMap() }

    package func leave() {}
}

extension Machine {
    package func resume(_ vcpu: Int) throws(MachineError) {
        throw .refused("\(traits.name) cannot end the HLT of vCPU \(vcpu)")
    }

    package func injectNMI(_ vcpu: Int) throws(MachineError) {
        throw .refused("\(traits.name) cannot send vCPU \(vcpu) an NMI")
    }

    package func settle(_ vcpu: Int) {}
}
