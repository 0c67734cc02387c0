import CKVM
import Foundation
import Glibc
import SystemPackage
import Testing

@testable import VCPUControl

/// The ioctls by name: a call that makes each of them, and its number.
///
/// Numbers are those of Documentation/virt/kvm/api.rst as `strace` and the kernel's headers on
/// x86-64 have them, written down here a second time.
enum KVMCalls {
    static let numbers: [String: UInt] = [
        "KVM_CHECK_EXTENSION": 0xae03, "KVM_CREATE_VM": 0xae01, "KVM_GET_VCPU_MMAP_SIZE": 0xae04,
        "KVM_GET_SUPPORTED_CPUID": 0xc008_ae05, "KVM_GET_DEVICE_ATTR": 0x4018_aee2,
        "KVM_SET_USER_MEMORY_REGION": 0x4020_ae46, "KVM_CREATE_VCPU": 0xae41,
        "KVM_ENABLE_CAP": 0x4068_aea3, "KVM_X86_SET_MSR_FILTER": 0x4188_aec6,
        "KVM_MEMORY_ENCRYPT_OP": 0xc008_aeba, "KVM_MEMORY_ENCRYPT_REG_REGION": 0x8010_aebb,
        "KVM_MEMORY_ENCRYPT_UNREG_REGION": 0x8010_aebc, "KVM_RUN": 0xae80,
        "KVM_GET_REGS": 0x8090_ae81, "KVM_SET_REGS": 0x4090_ae82, "KVM_GET_SREGS": 0x8138_ae83,
        "KVM_SET_SREGS": 0x4138_ae84, "KVM_GET_SREGS2": 0x8140_aecc,
        "KVM_SET_SREGS2": 0x4140_aecd, "KVM_GET_FPU": 0x81a0_ae8c, "KVM_SET_FPU": 0x41a0_ae8d,
        "KVM_GET_XSAVE": 0x9000_aea4, "KVM_SET_XSAVE": 0x5000_aea5, "KVM_GET_XCRS": 0x8188_aea6,
        "KVM_SET_XCRS": 0x4188_aea7, "KVM_GET_MSRS": 0xc008_ae88, "KVM_SET_MSRS": 0x4008_ae89,
        "KVM_GET_DEBUGREGS": 0x8080_aea1, "KVM_SET_DEBUGREGS": 0x4080_aea2,
        "KVM_GET_VCPU_EVENTS": 0x8040_ae9f, "KVM_SET_VCPU_EVENTS": 0x4040_aea0,
        "KVM_GET_MP_STATE": 0x8004_ae98, "KVM_SET_MP_STATE": 0x4004_ae99,
        "KVM_SET_GUEST_DEBUG": 0x4048_ae9b, "KVM_SET_CPUID2": 0x4008_ae90,
        "KVM_TRANSLATE": 0xc018_ae85, "KVM_NMI": 0xae9a,
    ]

    /// Makes every ioctl once, whatever becomes of it; all throw what they fail with.
    static func sweep(
        _ system: borrowing SystemFD, _ vm: borrowing VMFD, _ vcpu: borrowing VCPUFD
    ) -> [KVMError] {
        var errors: [KVMError] = []
        func attempt(_ body: () throws(KVMError) -> Void) {
            do throws(KVMError) { try body() } catch { errors.append(error) }
        }
        attempt { () throws(KVMError) in _ = try system.extensionValue(1) }
        attempt { () throws(KVMError) in _ = try system.makeVM() }
        attempt { () throws(KVMError) in _ = try system.supportedCPUID() }
        attempt { () throws(KVMError) in _ = try system.vmsaFeatures() }
        attempt { () throws(KVMError) in _ = try vm.extensionValue(1) }
        let block = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
        defer { unsafe block.deallocate() }
        attempt { () throws(KVMError) in
            unsafe try vm.setMemory(slot: 0, at: 0, size: 4096, host: block)
        }
        attempt { () throws(KVMError) in _ = try vm.makeVCPU(0) }
        attempt { () throws(KVMError) in try vm.enable(KVM_CAP_X86_USER_SPACE_MSR, 7) }
        attempt { () throws(KVMError) in try vm.denyAllMSRs() }
        attempt { () throws(KVMError) in
            unsafe try vm.encrypt(.initialize, data: nil, firmware: -1)
        }
        attempt { () throws(KVMError) in unsafe try vm.pin(block, size: 4096) }
        attempt { () throws(KVMError) in unsafe try vm.unpin(block, size: 4096) }
        attempt { () throws(KVMError) in _ = try vcpu.run() }
        attempt { () throws(KVMError) in try vcpu.injectNMI() }
        sweepState(vcpu, attempt)
        return errors
    }

    private static func sweepState(
        _ vcpu: borrowing VCPUFD, _ attempt: (() throws(KVMError) -> Void) -> Void
    ) {
        attempt { () throws(KVMError) in _ = try vcpu.registers() }
        attempt { () throws(KVMError) in try vcpu.setRegisters(.init()) }
        attempt { () throws(KVMError) in _ = try vcpu.systemRegisters() }
        attempt { () throws(KVMError) in try vcpu.setSystemRegisters(.init()) }
        attempt { () throws(KVMError) in _ = try vcpu.systemRegisters2() }
        attempt { () throws(KVMError) in try vcpu.setSystemRegisters2(.init()) }
        attempt { () throws(KVMError) in _ = try vcpu.floatRegisters() }
        attempt { () throws(KVMError) in try vcpu.setFloatRegisters(.init()) }
        attempt { () throws(KVMError) in _ = try vcpu.extendedState() }
        attempt { () throws(KVMError) in try vcpu.setExtendedState(.init()) }
        attempt { () throws(KVMError) in _ = try vcpu.extendedControl() }
        attempt { () throws(KVMError) in try vcpu.setExtendedControl(.init()) }
        attempt { () throws(KVMError) in _ = try vcpu.debugRegisters() }
        attempt { () throws(KVMError) in try vcpu.setDebugRegisters(.init()) }
        attempt { () throws(KVMError) in _ = try vcpu.events() }
        attempt { () throws(KVMError) in try vcpu.setEvents(.init()) }
        attempt { () throws(KVMError) in _ = try vcpu.runState() }
        attempt { () throws(KVMError) in try vcpu.setRunState(.init()) }
        attempt { () throws(KVMError) in _ = try vcpu.modelSpecificRegisters([0x10, 0x1b]) }
        attempt { () throws(KVMError) in try vcpu.setModelSpecificRegisters([(0x10, 1)]) }
        attempt { () throws(KVMError) in try vcpu.setCPUID([.init()]) }
        attempt { () throws(KVMError) in try vcpu.setGuestDebug(UInt32(KVM_GUESTDBG_ENABLE)) }
        attempt { () throws(KVMError) in _ = try vcpu.translate(0x1000) }
    }
}

@Suite("KVM ioctls")
struct KVMCallTests {
    /// A vCPU of a VM of a device, all on the same system calls.
    static func open(
        _ syscalls: any KVMSyscalls,
        _ body: (borrowing SystemFD, borrowing VMFD, borrowing VCPUFD) throws -> Void
    ) throws {
        let system = try SystemFD(syscalls)
        let vm = try system.makeVM()
        let vcpu = try vm.makeVCPU(0)
        try body(system, vm, vcpu)
    }

    @Test("on a bad descriptor every ioctl fails with EBADF and says its own name")
    func badDescriptors() throws {
        let syscalls = BadDescriptors()
        try Self.open(syscalls) { system, vm, vcpu in
            syscalls.isReal = true
            let errors = KVMCalls.sweep(system, vm, vcpu)
            // KVM_CREATE_VM comes behind KVM_GET_VCPU_MMAP_SIZE, and two check an extension.
            #expect(errors.count == KVMCalls.numbers.count)
            #expect(errors.allSatisfy { $0.message.contains("EBADF") })
        }
        #expect(Set(syscalls.failures.values) == [.badFileDescriptor])
        let expected = Set(KVMCalls.numbers.keys).subtracting(["KVM_CREATE_VM"])
        #expect(Set(syscalls.failures.keys) == expected)
    }

    @Test("every ioctl has its number, and a struct of the size that the number says")
    func numbers() throws {
        let syscalls = KVMDouble()
        try Self.open(syscalls) { system, vm, vcpu in
            #expect(KVMCalls.sweep(system, vm, vcpu).isEmpty)
        }
        for call in syscalls.calls where call.name != "KVM_GET_API_VERSION" {
            #expect(call.request == KVMCalls.numbers[call.name], "\(call.name)")
            // The command of SEV encodes a long; the others the head of their entries.
            let encoded = Int(call.request >> 16 & 0x3fff)
            let isVariable = encoded == 8
            #expect(
                isVariable ? call.bytes.count >= 16 : call.bytes.count == encoded, "\(call.name)")
        }
        #expect(Set(syscalls.calls.map(\.name)).count == KVMCalls.numbers.count + 1)
    }

    @Test("descriptors and mappings end with their owners, whichever call fails")
    func ownership() throws {
        let names = [
            "KVM_GET_API_VERSION", "KVM_GET_VCPU_MMAP_SIZE", "KVM_CREATE_VM", "KVM_CREATE_VCPU",
            "mmap", "open",
        ]
        for name in names {
            let syscalls = KVMDouble()
            syscalls.failures[name] = .noMemory
            let error = #expect(throws: KVMError.self) {
                try Self.open(syscalls) { _, _, _ in }
            }
            #expect(error?.message.contains("\(name) on ") ?? false)
            #expect(syscalls.openDescriptors.isEmpty && syscalls.mappings == 0, "\(name)")
        }
        let syscalls = KVMDouble()
        try Self.open(syscalls) { _, _, _ in #expect(syscalls.openDescriptors == [100, 101, 102]) }
        #expect(syscalls.openDescriptors.isEmpty && syscalls.mappings == 0)
    }

    @Test("a KVM of another version, or with too small a mapping, is refused in words")
    func refused() throws {
        let (old, small) = (KVMDouble(), KVMDouble())
        old.values["KVM_GET_API_VERSION"] = 11
        small.values["KVM_GET_VCPU_MMAP_SIZE"] = 16
        for (syscalls, text) in [(old, "version 11"), (small, "shares 16 bytes")] {
            let error = #expect(throws: KVMError.self) { try Self.open(syscalls) { _, _, _ in } }
            #expect(error?.message.contains(text) ?? false)
            #expect(syscalls.openDescriptors.isEmpty)
        }
    }

    @Test("what can be mended is said with the command that mends it")
    func advice() {
        func message(_ call: String, _ error: Errno) -> String {
            KVMError.failed(call: call, on: "x", error).message
        }
        #expect(message("open", .permissionDenied).contains("usermod -aG kvm"))
        #expect(message("open", .noSuchFileOrDirectory).contains("modprobe"))
        #expect(message("KVM_CREATE_VM", .resourceBusy).contains("EBUSY"))
        #expect(message("KVM_MEMORY_ENCRYPT_REG_REGION", .noMemory).contains("ulimit -l"))
        #expect(message("KVM_GET_REGS", .invalidArgument).hasSuffix("EINVAL (Invalid argument)"))
    }

    @Test(
        "the heartbeat interrupts the thread that runs, as long as it runs", .timeLimit(.minutes(1))
    )
    func heartbeat() throws {
        try Self.open(KVMDouble()) { _, _, vcpu in
            for interval in [100, 100, 10] as [UInt32] {
                // pause(2) comes back after a signal that has a handler, and not before.
                let result = try Heartbeat.during(every: interval, vcpu.page) { pause() }
                #expect(result == -1)
                #expect(unsafe vcpu.page.immediateExit.pointee == 0)
            }
        }
    }

    @Test(
        "a stop that is asked for makes KVM_RUN come back, even where it is only about to be called",
        .timeLimit(.minutes(1)))
    func kick() throws {
        let (flag, syscalls) = (InterruptFlag(), KVMDouble())
        try Self.open(syscalls) { _, _, vcpu in
            try Heartbeat.during(every: 1_000_000, vcpu.page, flag) {
                Thread.detachNewThread { flag.raise() }
                while unsafe vcpu.page.immediateExit.pointee == 0 { sched_yield() }
            }
            // Nothing is left of it behind the run that it ends.
            syscalls.failures["KVM_RUN"] = .interrupted
            #expect(try vcpu.run() == .interrupted)
            #expect(unsafe vcpu.page.immediateExit.pointee == 0)
            #expect(flag.take())
            // Outside of a run there is nobody to be woken.
            flag.raise()
            #expect(unsafe vcpu.page.immediateExit.pointee == 0)
        }
    }

    @Test("MSRs: as many as KVM got to, never more than were asked for")
    func modelSpecificRegisters() throws {
        let syscalls = KVMDouble()
        try Self.open(syscalls) { _, _, vcpu in
            for (known, count) in [(0, 0), (1, 1), (2, 2), (9, 2)] as [(Int32, Int)] {
                syscalls.values["KVM_GET_MSRS"] = known
                let values = try vcpu.modelSpecificRegisters([0x10, 0x1b])
                #expect(values.count == count)
            }
        }
        let bytes = try #require(syscalls.calls.last).bytes
        #expect(bytes.count == 8 + 2 * 16 && bytes[0] == 2 && bytes[8] == 0x10 && bytes[24] == 0x1b)
    }
}
