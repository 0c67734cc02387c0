internal import CKVM
internal import SystemPackage

/// Finds out which ways to stop a vCPU a KVM has, by trying each on a VM of four pages.
///
/// Not every KVM has them all, and none says which: PVM does not intercept INT3, a nested kvm_amd on
/// QEMU's TCG neither that nor DR7. Each try has a vCPU of its own, and an end.
///
/// Unsafe: writes the guest's memory, which lives as long as the VM.
@safe
struct StopProbe: ~Copyable {
    private let vm: VMFD
    private let memory: Memory
    private let cpuid: [kvm_cpuid_entry2]

    /// Page 0 is code, behind it lie the tables that map the first 2 MiB to themselves.
    private enum Layout {
        static let tables: UInt64 = 0x1000
        static let size = 0x4000
        /// PML4, PDPT and PD: their first entries.
        static let entries: [UInt64] = [0x2003, 0x3003, 0x83]
    }

    /// inc %ecx, four times, and HLT; a way has to stop behind the second.
    private static let code: [UInt8] = [
        0xff, 0xc1, 0xff, 0xc1, 0xff, 0xc1, 0xff, 0xc1, 0xf4,
    ]
    private static let (place, count): (UInt64, UInt64) = (4, 2)
    /// Signals after which a vCPU that runs on is given up: 30 ms.
    private static let (beat, patience): (UInt32, Int) = (10, 3)

    /// Memory of this process, which has to outlive the VM.
    @safe private final class Memory {
        let start: UnsafeMutableRawPointer
        private let syscalls: any KVMSyscalls

        init(_ syscalls: any KVMSyscalls) throws(KVMError) {
            self.syscalls = syscalls
            do throws(Errno) {
                unsafe start = try syscalls.map(anonymousMemory, count: Layout.size)
            } catch { throw .failed(call: "mmap", on: "a VM of four pages", error) }
        }

        deinit { unsafe syscalls.unmap(start, count: Layout.size) }
    }

    init(_ syscalls: any KVMSyscalls) throws(KVMError) {
        let system = try SystemFD(syscalls)
        let memory = try Memory(syscalls)
        let vm = try system.makeVM()
        let cpuid = try system.supportedCPUID()
        unsafe try vm.setMemory(slot: 0, at: 0, size: UInt64(Layout.size), host: memory.start)
        for (index, entry) in Layout.entries.enumerated() {
            let offset = Int(Layout.tables) + index << 12
            unsafe memory.start.storeBytes(of: entry, toByteOffset: offset, as: UInt64.self)
        }
        self.memory = memory
        self.cpuid = cpuid
        self.vm = vm
    }

    /// Tries all ways.
    func ways() throws(KVMError) -> StopWays {
        var ways = StopWays()
        for (number, way) in StopWay.allCases.enumerated() {
            let file = try makeVCPU(number)
            ways.failures[way] = try failure(of: way, on: file)
        }
        return ways
    }

    private func makeVCPU(_ number: Int) throws(KVMError) -> VCPUFD {
        let file = try vm.makeVCPU(number)
        try file.setCPUID(cpuid)
        let initial = try file.systemRegisters()
        try file.setSystemRegisters(kvm_sregs(Self.system, initial))
        var registers = kvm_regs()
        registers.rflags = FlagBits.alwaysOne
        try file.setRegisters(registers)
        file.page.setValidRegisters(UInt64(KVM_SYNC_X86_REGS))
        return file
    }

    /// Long mode.
    private static let system: SystemRegisters = {
        var system = SystemRegisters()
        system.cs = LaunchDescriptors.code
        (system.ds, system.es, system.ss) = (
            LaunchDescriptors.data, LaunchDescriptors.data, LaunchDescriptors.data
        )
        system.tr = LaunchDescriptors.task(at: 0)
        system.cr0 = CR0.paging | CR0.extensionType | CR0.protection
        system.cr3 = Layout.tables
        system.efer = Efer.longModeEnable | Efer.longModeActive
        return system
    }()

    /// What comes instead of the stop; `nil`: the way works.
    private func failure(
        of way: StopWay, on file: borrowing VCPUFD
    ) throws(KVMError) -> String? {
        var code = Self.code
        if let patch = way.patch { code[Int(Self.place)] = patch }
        unsafe memory.start.copyMemory(from: code, byteCount: code.count)
        try file.setGuestDebug(way.debugFlags, breakpoints: [Self.place])
        for _ in 0..<(way == .singleStep ? Self.count : 1) {
            if let other = try exit(of: file, insteadOf: way) { return other }
        }
        let registers = file.page.registers
        let behind: UInt64 = way == .halt ? 1 : 0
        guard registers.rip == Self.place + behind, registers.rcx == Self.count else {
            return "stops at \(registers.rip.hex)"
        }
        return nil
    }

    /// Runs to the next exit, and names it where it is not the way's.
    private func exit(
        of file: borrowing VCPUFD, insteadOf way: StopWay
    ) throws(KVMError) -> String? {
        for _ in 0..<Self.patience {
            switch try file.run(every: Self.beat) {
            case .interrupted: continue
            case .debug where way != .halt: return nil
            case .halt where way == .halt: return nil
            default: return file.page.exitName
            }
        }
        return "no exit"
    }
}

extension StopWays {
    /// Those of this host's KVM, found out once.
    static let ofThisHost = Result<StopWays, KVMError> { () throws(KVMError) in
        try StopProbe(LinuxSyscalls()).ways()
    }
}
