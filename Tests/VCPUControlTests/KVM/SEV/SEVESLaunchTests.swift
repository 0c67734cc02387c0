import CKVM
import SystemPackage
import Testing

@testable import VCPUControl

@Suite("sev-es: the launch")
struct SEVESLaunchTests {
    /// Five pages, of which the fourth is shared; one vCPU that executes HLT.
    static func plan(version: Int = 2) -> LaunchPlan {
        var registers = RegisterFile()
        (registers[.rip], registers[.rsp], registers[.rflags]) = (0x1000, 0x2ff8, 2)
        var system = SystemRegisters()
        (system.cr0, system.cr3, system.cr4, system.efer) = (0x8001_0033, 0, 0x1_0620, 0xd01)
        return LaunchPlan(
            ramSize: 0x5000,
            regions: [
                .init(address: .init(0x1000), bytes: [0xf4], isPrivate: true),
                .init(
                    address: .init(0x3000), bytes: .init(repeating: 0, count: 4096),
                    isPrivate: false),
            ],
            vcpus: [
                .init(registers: registers, system: system, ghcbMSR: nil, returnedAt: .init(0))
            ], ghcbVersion: version)
    }

    /// Launches, lets the machine go, and says what became of it.
    private static func launch(_ syscalls: RecordedSyscalls) -> MachineError? {
        do throws(MachineError) {
            let machine = try SEVESMachine(plan(), on: syscalls)
            return machine.vcpuCount == 1 ? nil : .refused("vCPUs are missing")
        } catch { return error }
    }

    @Test("the calls are those of REFERENCE 5b, in its order and with its values")
    func sequence() throws {
        let syscalls = RecordedSyscalls(.init(features: [.debugSwap, .init(rawValue: 1 << 9)]))
        #expect(Self.launch(syscalls) == nil)
        let golden = """
            open /dev/kvm
            KVM_GET_API_VERSION 0
            open /dev/sev
            KVM_CHECK_EXTENSION 235
            KVM_GET_SUPPORTED_CPUID
            KVM_GET_DEVICE_ATTR group 1 attribute 0
            KVM_GET_VCPU_MMAP_SIZE 0
            KVM_CREATE_VM 3
            KVM_SEV_INIT2 vmsa_features 0x20 flags 0 ghcb_version 2
            mmap memory, 20480 bytes
            KVM_SET_USER_MEMORY_REGION slot 0 at 0x0, 0x5000 bytes
            KVM_GET_SUPPORTED_CPUID
            KVM_CREATE_VCPU 0
            mmap kvm_run, 12288 bytes
            KVM_SET_CPUID2
            KVM_GET_SREGS
            KVM_SET_SREGS cr0 0x80010033 cr3 0x0 cr4 0x10620 efer 0xd01
            KVM_SET_REGS rip 0x1000 rsp 0x2ff8
            KVM_SET_XCRS xcr0 0x1
            KVM_SET_MSRS 0x277 = 0x7040600070406
            KVM_SEV_LAUNCH_START policy 0x4
            KVM_SEV_GUEST_STATUS
            KVM_MEMORY_ENCRYPT_REG_REGION at memory + 0x0, 0x5000 bytes
            KVM_SEV_LAUNCH_UPDATE_DATA at memory + 0x0, 0x3000 bytes
            KVM_SEV_LAUNCH_UPDATE_DATA at memory + 0x4000, 0x1000 bytes
            KVM_SEV_LAUNCH_UPDATE_VMSA
            KVM_SEV_LAUNCH_MEASURE 0 bytes
            KVM_SEV_LAUNCH_MEASURE 48 bytes
            KVM_SEV_LAUNCH_FINISH
            KVM_MEMORY_ENCRYPT_UNREG_REGION at memory + 0x0, 0x5000 bytes
            """
        #expect(syscalls.lines.joined(separator: "\n") == golden)
        #expect(syscalls.isClean)
    }

    /// The calls of a launch that goes well, without the one that ends it.
    private static let calls: [String] = {
        let syscalls = RecordedSyscalls(.init(features: .debugSwap))
        _ = launch(syscalls)
        return syscalls.lines.dropLast()
    }()

    /// What a launch does without: features, and the size of a measurement that comes as an error.
    private static func isTolerated(_ line: String, _ firmware: SEVFirmwareError) -> Bool {
        line.hasPrefix("KVM_GET_DEVICE_ATTR")
            || line.hasSuffix("MEASURE 0 bytes") && firmware == .invalidLength
    }

    @Test(
        "whichever call fails, the launch does, says which and why, and gives everything back",
        arguments: [
            Errno.invalidArgument, .noMemory, .resourceBusy, .permissionDenied, .notPermitted,
            .badFileDescriptor, .inappropriateIOCTLForDevice, .ioError,
        ])
    func failures(errno: Errno) {
        for (index, call) in Self.calls.enumerated() {
            let syscalls = RecordedSyscalls(
                .init(features: .debugSwap), failing: .init(call: index, errno: errno))
            let error = Self.launch(syscalls)
            #expect(syscalls.failed == call && syscalls.isClean, "\(call)")
            guard !Self.isTolerated(call, .success) else {
                #expect(error == nil, "\(call)")
                continue
            }
            let word = call.prefix { $0 != " " }
            let message = error?.message ?? "nothing"
            #expect(message.contains(word), "\(call): \(message)")
            #expect(message.contains(KVMError.name(of: errno)), "\(call): \(message)")
        }
    }

    @Test(
        "what the firmware refuses is said by its name, with what mends it",
        arguments: [
            (SEVFirmwareError.policyFailure, "SEV_RET_POLICY_FAILURE (7), the policy"),
            (.resourceLimit, "SEV_RET_RESOURCE_LIMIT (23)"),
            (.init(rawValue: .max), "SEV_RET_NO_FW_CALL (-1)"),
            (.init(rawValue: 13), "raise \"SEV-ES ASID space limit\" in the BIOS"),
            (.init(rawValue: 77), "error 0x4d (77)"),
        ])
    func firmware(error: SEVFirmwareError, words: String) {
        for (index, call) in Self.calls.enumerated() where call.hasPrefix("KVM_SEV_") {
            let syscalls = RecordedSyscalls(
                .init(features: .debugSwap),
                failing: .init(call: index, errno: .ioError, firmware: error))
            let message = Self.launch(syscalls)?.message ?? "nothing"
            #expect(message.contains(call.prefix { $0 != " " }) && message.contains(words))
            #expect(syscalls.isClean, "\(call)")
        }
    }

    @Test("errors that have a cure name it")
    func cures() throws {
        func message(_ call: String, _ errno: Errno) throws -> String {
            let index = try #require(Self.calls.firstIndex { $0.hasPrefix(call) })
            let syscalls = RecordedSyscalls(
                .init(features: .debugSwap), failing: .init(call: index, errno: errno))
            return Self.launch(syscalls)?.message ?? "nothing"
        }
        #expect(try message("open /dev/sev", .permissionDenied).contains("chmod 660 /dev/sev"))
        #expect(try message("open /dev/sev", .noSuchFileOrDirectory).contains("modprobe ccp"))
        #expect(try message("open /dev/kvm", .permissionDenied).contains("usermod -aG kvm"))
        #expect(try message("KVM_SEV_INIT2", .resourceBusy).contains("ASIDs"))
        #expect(try message("KVM_SEV_INIT2", .invalidArgument).contains("--ghcb-version 1"))
        #expect(try message("KVM_CREATE_VM", .invalidArgument).contains("sevdbg doctor"))
        #expect(
            try message("KVM_MEMORY_ENCRYPT_REG_REGION", .noMemory).contains("ulimit -l unlimited"))
        #expect(
            try message("KVM_SEV_LAUNCH_START", .inappropriateIOCTLForDevice).contains("sev_es=1"))
    }

    @Test("a KVM before Linux 6.10: the legacy call, version 1 for ever, and that is said")
    func legacy() throws {
        let syscalls = RecordedSyscalls(.init(hasTypedVMs: false, features: .debugSwap))
        let host = try SEVESMachine.host(syscalls)
        #expect(host.ghcbVersion == 1 && host.cBit == 51)
        let plan = try LaunchPlan(GuestImage.load("hello"), LaunchOptions(ghcbVersion: 1))
        let machine = try SEVESMachine(plan, on: syscalls)
        #expect(syscalls.lines.contains("KVM_CREATE_VM 0"))
        #expect(syscalls.lines.contains("KVM_SEV_ES_INIT"))
        #expect(!syscalls.lines.contains { $0.hasPrefix("KVM_SEV_INIT2") })
        let launched = try #require(machine.traits.facts.first)
        #expect(launched.value.contains("KVM_SEV_ES_INIT") && launched.value.contains("version 1 "))
        let run = DrivenMachine(machine)
        try run.run()
        #expect(run.end == "halt" && run.console == Array("hello from an SEV-ES guest\n".utf8))
    }

    @Test("the measurement is shown, and follows every byte that is encrypted")
    func measurement() throws {
        func measurement(_ change: (inout LaunchPlan) -> Void = { _ in }) throws -> String {
            var plan = Self.plan()
            change(&plan)
            let machine = try SEVESMachine(plan, on: KVMTwin())
            return try #require(machine.traits.facts.first { $0.name == "measured" }).value
        }
        let plain = try measurement()
        #expect(plain.count == 96)
        #expect(try measurement() == plain)
        #expect(try measurement { $0.regions[0].bytes = [0x90] } != plain)
        #expect(try measurement { $0.vcpus[0].registers[.r15] = 1 } != plain)
    }

    @Test("a host that has no SEV-ES says so, and a preset GHCB MSR is refused")
    func refused() throws {
        #expect(throws: MachineError.self) {
            try SEVESMachine.host(KVMTwin(.init(hasSEVES: false)))
        }
        var plan = Self.plan()
        plan.vcpus[0].ghcbMSR = 0x3000
        let error = #expect(throws: MachineError.self) { try SEVESMachine(plan, on: KVMTwin()) }
        #expect(error?.message.contains("cannot set MSR_AMD64_SEV_ES_GHCB") == true)
    }

    @Test("every page is either encrypted or shared, and ends are page-aligned")
    func ranges() throws {
        for guest in BuiltInGuest.all {
            let plan = try LaunchPlan(guest.image, LaunchOptions(guest.defaults))
            let all = (plan.privateRanges + plan.sharedRanges).sorted {
                $0.lowerBound < $1.lowerBound
            }
            #expect(all.first?.lowerBound == 0 && all.last?.upperBound == plan.ramSize)
            #expect(zip(all, all.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
            #expect(all.allSatisfy { ($0.lowerBound | $0.upperBound) & 0xfff == 0 })
        }
    }
}
