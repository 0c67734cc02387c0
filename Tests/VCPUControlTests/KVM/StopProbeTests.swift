import SystemPackage
import Testing

@testable import VCPUControl

@Suite("What stops a vCPU of KVM", .timeLimit(.minutes(1)))
struct StopProbeTests {
    @Test(
        "here a single step and HLT do, and the machine says what does",
        .enabled(if: HostKVM.isThere, HostKVM.reason))
    func host() throws {
        let ways = try StopProbe(LinuxSyscalls()).ways()
        #expect(ways.work(.singleStep) && ways.work(.halt), "\(ways.text)")
        #expect(ways == (try StopWays.ofThisHost.get()))
        let machine = try KVMMachine(
            EmulatedMachineTests.plan([EmulatedMachineTests.spin], cBit: try HostKVM.cBit.get()))
        let differences = machine.traits.differences
        #expect(differences.contains("KVM stops by: \(ways.text)"))
        #expect(differences.contains { $0.hasSuffix("branch to branch, stopped by HLT") })
    }

    @Test("a KVM whose vCPUs come back with something else, or never, stops nowhere")
    func nothing() throws {
        let syscalls = KVMDouble()
        let all = try StopProbe(syscalls).ways().failures
        #expect(Set(all.keys) == Set(StopWay.allCases))
        #expect(Set(all.values) == ["KVM_EXIT_UNKNOWN"])
        #expect(syscalls.openDescriptors.isEmpty && syscalls.mappings == 0)
        syscalls.failures["KVM_RUN"] = .interrupted
        let ways = try StopProbe(syscalls).ways()
        #expect(Set(ways.failures.values) == ["no exit"] && ways.ofStretches == nil)
        #expect(ways.text.hasPrefix("none; not single step: no exit"))
    }

    @Test("a stop at another place is none")
    func elsewhere() throws {
        let syscalls = KVMDouble()
        // A kvm_run with KVM_EXIT_DEBUG, and RIP 0.
        syscalls.exitReason = 4
        let failures = try StopProbe(syscalls).ways().failures
        #expect(failures[.hardwareBreakpoint] == "stops at 0x0")
        #expect(failures[.halt] == "KVM_EXIT_DEBUG")
    }

    @Test("of two ways that work the cheaper one stops several instructions")
    func choice() {
        #expect(StopWays().ofStretches == .halt)
        #expect(StopWays(failures: [.halt: "x"]).ofStretches == .hardwareBreakpoint)
    }

    @Test("a call that fails is named, and nothing stays open")
    func failures() {
        for name in ["open", "mmap", "KVM_CREATE_VM", "KVM_CREATE_VCPU", "KVM_SET_REGS", "KVM_RUN"]
        {
            let syscalls = KVMDouble()
            syscalls.failures[name] = .ioError
            let error = #expect(throws: KVMError.self) { try StopProbe(syscalls).ways() }
            #expect(error?.message.hasPrefix("\(name) on ") ?? false)
            #expect(syscalls.openDescriptors.isEmpty && syscalls.mappings == 0, "\(name)")
        }
    }
}
