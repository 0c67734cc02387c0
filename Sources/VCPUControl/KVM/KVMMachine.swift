internal import CKVM

/// A VM whose plain instructions are executed by KVM, with SEV-ES modelled around them.
///
/// KVM walks the guest's page tables, C-bit and all, and executes; what it must not see,
/// `KVMProcessor` has the model of the emulator do, on the same memory. So are registers,
/// exchanges, observations and the turns of vCPUs those of `EmulatedMachine`: the same guest does
/// the same, instruction by instruction.
///
/// Unsafe: gives KVM the address of the guest's memory, which outlives the descriptors.
@safe package final class KVMMachine: EmulatedMachine {
    private var processors: [KVMProcessor] = []
    private let ways: StopWays
    /// What stops KVM behind several instructions.
    private let stretchStop: StopWay?
    /// The threads of the vCPUs; `nil`: they take turns on that of the caller.
    private let threads: VCPUThreads?

    /// Where RAM is mapped: at GPA 0, and once more at the GPA that is the C-bit alone.
    private enum Slot: UInt32 { case shared, encrypted }

    /// Builds the VM of a launch plan, whose C-bit has to be `cBit()`.
    ///
    /// - Throws: `.refused` where KVM is not to be had or cannot do what is needed, with what mends it.
    package convenience init(
        _ plan: LaunchPlan, interrupt: InterruptFlag = InterruptFlag(), seed: UInt64 = 0,
        schedule: VCPUSchedule = .turns
    ) throws(MachineError) {
        let ways: StopWays
        do throws(KVMError) {
            ways = try StopWays.ofThisHost.get()
        } catch { throw .refused(error.message) }
        try self.init(
            plan, interrupt: interrupt, seed: seed, schedule: schedule, on: LinuxSyscalls(),
            ways: ways)
    }

    /// The same by other system calls, with the ways in which their KVM stops.
    init(
        _ plan: LaunchPlan, interrupt: InterruptFlag = InterruptFlag(), seed: UInt64 = 0,
        schedule: VCPUSchedule = .turns, on syscalls: any KVMSyscalls = LinuxSyscalls(),
        ways: StopWays
    ) throws(MachineError) {
        self.ways = ways
        do throws(KVMError) {
            threads = try VCPUThreads(schedule, count: plan.vcpus.count)
        } catch { throw .refused(error.message) }
        stretchStop = threads == nil ? ways.ofStretches : ways.ofThreads
        try super.init(plan, visibility: .full, interrupt: interrupt, seed: seed)
        do throws(KVMError) {
            try Self.check(ways)
            processors = try makeProcessors(try SystemFD(syscalls))
        } catch { throw .refused(error.message) }
    }

    /// The position of the C-bit: the highest bit that a physical address of this KVM can have.
    package static func cBit() throws(MachineError) -> Int {
        do throws(KVMError) {
            return try addressBits(try SystemFD().supportedCPUID()) - 1
        } catch { throw .refused(error.message) }
    }

    /// CPUID 8000_0008, EAX[7:0].
    private static func addressBits(_ cpuid: [kvm_cpuid_entry2]) throws(KVMError) -> Int {
        guard let sizes = cpuid.first(where: { $0.function == 0x8000_0008 }),
            case let bits = Int(sizes.eax & 0xff), 36...52 ~= bits
        else { throw .lacks("this KVM does not say how wide physical addresses are") }
        return bits
    }

    private func makeProcessors(
        _ system: borrowing SystemFD
    ) throws(KVMError) -> [KVMProcessor] {
        try Self.check(system)
        let cpuid = try system.supportedCPUID()
        let vm = try system.makeVM()
        for (slot, address) in [(Slot.shared, 0), (.encrypted, guest.cBitMask)] {
            unsafe try vm.setMemory(
                slot: slot.rawValue, at: address, size: guest.size, host: guest.base)
        }
        try Self.fence(vm)
        let lock = GuestLock(isShared: threads != nil)
        var processors: [KVMProcessor] = []
        for number in 0..<vcpuCount {
            processors.append(
                try KVMProcessor(
                    try vm.makeVCPU(number), cpuid: cpuid, interrupt: interrupt,
                    stretchStop: stretchStop, lock: lock))
        }
        return processors
    }

    /// Makes an access to an MSR that should never have reached KVM an exit that is reported.
    private static func fence(_ vm: borrowing VMFD) throws(KVMError) {
        let reasons =
            KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN
            | KVM_MSR_EXIT_REASON_FILTER
        guard try vm.extensionValue(KVM_CAP_X86_MSR_FILTER) > 0 else { return }
        try vm.enable(KVM_CAP_X86_USER_SPACE_MSR, UInt64(reasons))
        try vm.denyAllMSRs()
    }

    static func check(_ system: borrowing SystemFD) throws(KVMError) {
        guard try system.extensionValue(KVM_CAP_SYNC_REGS) & Int(KVM_SYNC_X86_REGS) != 0 else {
            throw .lacks("this KVM cannot bring registers along with an exit (KVM_CAP_SYNC_REGS)")
        }
        guard try system.extensionValue(KVM_CAP_SET_GUEST_DEBUG) > 0 else {
            throw .lacks("this KVM cannot single-step (KVM_CAP_SET_GUEST_DEBUG)")
        }
        guard try system.extensionValue(KVM_CAP_IMMEDIATE_EXIT) > 0 else {
            throw .lacks("this KVM is older than Linux 4.12 (KVM_CAP_IMMEDIATE_EXIT)")
        }
    }

    static func check(_ ways: StopWays) throws(KVMError) {
        guard let failure = ways.failures[.singleStep] else { return }
        throw .lacks("this KVM does not stop behind a single step: \(failure)")
    }

    /// Instructions that KVM has executed, of all vCPUs.
    package var stepsOfKVM: UInt64 { processors.map(\.executed).reduce(0, &+) }

    package override var traits: MachineTraits {
        var traits = super.traits
        traits.name = "kvm"
        let pace =
            stretchStop.map { "goes from branch to branch, stopped by \($0.name)" }
            ?? "is stepped, for nothing else stops KVM here"
        traits.differences = [
            "nothing is encrypted, measured or attested",
            "KVM executes what needs registers and RAM at CPL 0, \(stepsOfKVM) so far",
            "a model executes the rest: #VC, VMGEXIT, faults, system, strings, CPL 3",
            "KVM stops by: \(ways.text)",
            "a run of more than one instruction \(pace)",
            "breakpoints are compared before each instruction",
            "the time stamp counts instructions, RDRAND has a seed",
        ]
        traits.schedule = threads == nil ? .turns : .threads
        return traits
    }

    override var runsAtOnce: Bool { threads != nil }

    override func execute(_ number: Int, limit: UInt64) -> CoreExit {
        threads == nil ? run(number, limit: limit) : execute([number], limit: limit)[0]
    }

    override func execute(_ numbers: [Int], limit: UInt64) -> [CoreExit] {
        guard let threads else { return super.execute(numbers, limit: limit) }
        return threads.perform(numbers) { self.run($0, limit: limit) }
    }

    private func run(_ number: Int, limit: UInt64) -> CoreExit {
        unsafe processors[number].run(&vcpus[number], limit: limit)
    }
}
