import CKVM
import SystemPackage
import Testing

@testable import VCPUControl

/// The rules of REFERENCE 4b, 5b and 5c, by the same functions that drive the hardware.
@Suite("The twin of the SEV-ES kernel interface")
struct KVMTwinTests {
    /// A VM with a page of memory, up to a step of its launch.
    private static func withVM(
        _ host: KVMTwin.Host = .init(), type: Int32 = KVM_X86_SEV_ES_VM,
        _ body: (borrowing VMFD, Int32) throws -> Void
    ) throws {
        let twin = KVMTwin(host)
        let system = try SystemFD(twin)
        let firmware = try SEVDevice(twin)
        let vm = try system.makeVM(type: type)
        try body(vm, firmware.number)
    }

    private static func initialize(
        _ vm: borrowing VMFD, _ firmware: Int32, version: UInt16 = 2, features: UInt64 = 0,
        flags: UInt32 = 0
    ) throws(KVMError) {
        var request = ckvm_sev_init()
        (request.ghcb_version, request.vmsa_features, request.flags) = (version, features, flags)
        try vm.encrypt(.initialize, request, firmware: firmware)
    }

    private static func start(
        _ vm: borrowing VMFD, _ firmware: Int32, policy: UInt32 = 4
    ) throws(KVMError) {
        var request = kvm_sev_launch_start()
        request.policy = policy
        try vm.encrypt(.launchStart, request, firmware: firmware)
    }

    private static func plain(
        _ command: SEVCommand, _ vm: borrowing VMFD, _ firmware: Int32
    ) throws(KVMError) {
        unsafe try vm.encrypt(command, data: nil, firmware: firmware)
    }

    private static func measure(_ vm: borrowing VMFD, _ firmware: Int32) throws(KVMError) {
        _ = try unsafe LentBytes.lend([UInt8](repeating: 0, count: 64)) { place throws(KVMError) in
            var request = kvm_sev_launch_measure()
            (request.uaddr, request.len) = (UInt64(UInt(bitPattern: place)), 64)
            try vm.encrypt(.launchMeasure, request, firmware: firmware)
        }
    }

    /// What a call is refused with.
    private static func refusal(_ body: () throws(KVMError) -> Void) -> KVMError? {
        do throws(KVMError) { try body() } catch { return error }
        return nil
    }

    private static func state(_ vm: borrowing VMFD, _ firmware: Int32) throws -> UInt32 {
        try vm.encrypt(.guestStatus, kvm_sev_guest_status(), firmware: firmware).state
    }

    @Test("INIT2: version, features and flags are checked, and it comes once and before vCPUs")
    func initialization() throws {
        let refused = KVMError.refused(.initialize, .invalidArgument, .success)
        for (version, features, flags) in [(3, 0, 0), (2, 1 << 5, 0), (2, 0, 1)] as [(UInt16, UInt64, UInt32)] {
            try Self.withVM { vm, firmware in
                #expect(
                    Self.refusal { () throws(KVMError) in
                        try Self.initialize(
                            vm, firmware, version: version, features: features, flags: flags)
                    } == refused)
            }
        }
        try Self.withVM { vm, firmware in
            try Self.initialize(vm, firmware)
            #expect(Self.refusal { () throws(KVMError) in try Self.initialize(vm, firmware) } == refused)
        }
        try Self.withVM { vm, firmware in
            _ = try vm.makeVCPU(0)
            #expect(Self.refusal { () throws(KVMError) in try Self.initialize(vm, firmware) } == refused)
        }
        try Self.withVM(type: KVM_X86_DEFAULT_VM) { vm, firmware in
            #expect(Self.refusal { () throws(KVMError) in try Self.initialize(vm, firmware) } == refused)
            try Self.plain(.legacyInit, vm, firmware)
        }
        try Self.withVM { vm, firmware in
            #expect(
                Self.refusal { () throws(KVMError) in try Self.plain(.legacyInit, vm, firmware) }
                    == .refused(.legacyInit, .invalidArgument, .success))
        }
    }

    @Test("a command out of order is refused, and the states of the guest are 0 to 3")
    func order() throws {
        let wrong = { (command: SEVCommand) in
            KVMError.refused(command, .ioError, .invalidGuestState)
        }
        try Self.withVM { vm, firmware in
            #expect(
                Self.refusal { () throws(KVMError) in try Self.start(vm, firmware) }
                    == .refused(.launchStart, .inappropriateIOCTLForDevice, .success))
            try Self.initialize(vm, firmware)
            #expect(try Self.state(vm, firmware) == 0)
            #expect(
                Self.refusal { () throws(KVMError) in try Self.plain(.launchFinish, vm, firmware) }
                    == wrong(.launchFinish))
            #expect(
                Self.refusal { () throws(KVMError) in try Self.start(vm, firmware, policy: 1) }
                    == .refused(.launchStart, .ioError, .policyFailure))
            try Self.start(vm, firmware)
            #expect(try Self.state(vm, firmware) == 1)
            #expect(Self.refusal { () throws(KVMError) in try Self.start(vm, firmware) } == wrong(.launchStart))
            #expect(
                Self.refusal { () throws(KVMError) in try Self.plain(.launchFinish, vm, firmware) }
                    == wrong(.launchFinish))
            try Self.plain(.launchUpdateVMSA, vm, firmware)
            #expect(
                Self.refusal { () throws(KVMError) in try Self.plain(.launchUpdateVMSA, vm, firmware) }
                    == .refused(.launchUpdateVMSA, .invalidArgument, .success))
            try Self.measure(vm, firmware)
            #expect(try Self.state(vm, firmware) == 2)
            #expect(Self.refusal { () throws(KVMError) in try Self.measure(vm, firmware) } == wrong(.launchMeasure))
            try Self.plain(.launchFinish, vm, firmware)
            #expect(try Self.state(vm, firmware) == 3)
        }
        try Self.withVM { vm, _ in
            #expect(
                Self.refusal { () throws(KVMError) in try Self.initialize(vm, -1) }
                    == .refused(.initialize, .badFileDescriptor, .success))
        }
    }

    @Test("LAUNCH_UPDATE_DATA: in units of 16 bytes, and the owner sees ciphertext behind it")
    func update() throws {
        try Self.withVM { vm, firmware in
            let memory = try PlainMemory(count: 0x2000, LinuxSyscalls())
            unsafe try vm.setMemory(slot: 0, at: 0, size: 0x2000, host: memory.start)
            try Self.initialize(vm, firmware)
            try Self.start(vm, firmware)
            _ = memory.write([UInt8](repeating: 0xaa, count: 0x2000), to: 0)
            func update(_ offset: Int, _ count: UInt32) -> KVMError? {
                var request = kvm_sev_launch_update_data()
                unsafe request.uaddr = UInt64(UInt(bitPattern: memory.start + offset))
                request.len = count
                return Self.refusal { () throws(KVMError) in
                    try vm.encrypt(.launchUpdateData, request, firmware: firmware)
                }
            }
            #expect(update(8, 16) == .refused(.launchUpdateData, .ioError, .invalidAddress))
            #expect(update(0, 24) == .refused(.launchUpdateData, .ioError, .invalidLength))
            #expect(update(0x1ff0, 32) == .refused(.launchUpdateData, .noMemory, .success))
            let before = memory.read(0, count: 0x2000)
            #expect(before == [UInt8](repeating: 0xaa, count: 0x2000))
            #expect(update(0, 0x1000) == nil)
            let after = memory.read(0, count: 0x2000)
            let bytes = try #require(after)
            #expect(bytes[0x1000...].allSatisfy { $0 == 0xaa })
            #expect(bytes[..<0x1000].count { $0 == 0xaa } < 64)
        }
    }

    @Test("behind LAUNCH_UPDATE_VMSA each ioctl does what REFERENCE 5c says", arguments: [true, false])
    func visibility(isTyped: Bool) throws {
        let type = isTyped ? KVM_X86_SEV_ES_VM : KVM_X86_DEFAULT_VM
        try Self.withVM(type: type) { vm, firmware in
            if isTyped {
                try Self.initialize(vm, firmware)
            } else {
                try Self.plain(.legacyInit, vm, firmware)
            }
            let vcpu = try vm.makeVCPU(0)
            var registers = kvm_regs()
            registers.rax = 0x1234
            try vcpu.setRegisters(registers)
            #expect(try vcpu.modelSpecificRegisters([0xc000_0080]).count == 1)
            try vcpu.setGuestDebug(UInt32(KVM_GUESTDBG_ENABLE))
            try Self.start(vm, firmware)
            // A debugged vCPU cannot be encrypted.
            #expect(
                Self.refusal { () throws(KVMError) in try Self.plain(.launchUpdateVMSA, vm, firmware) }
                    == .refused(.launchUpdateVMSA, .invalidArgument, .success))
            try vcpu.setGuestDebug(0)
            try Self.plain(.launchUpdateVMSA, vm, firmware)
            func isRefused(_ body: () throws(KVMError) -> Void) -> Bool {
                guard case .failed(_, _, .invalidArgument) = Self.refusal(body) else { return false }
                return true
            }
            let hidden = [
                isRefused { () throws(KVMError) in _ = try vcpu.registers() },
                isRefused { () throws(KVMError) in try vcpu.setRegisters(registers) },
                isRefused { () throws(KVMError) in _ = try vcpu.systemRegisters() },
                isRefused { () throws(KVMError) in _ = try vcpu.systemRegisters2() },
                isRefused { () throws(KVMError) in _ = try vcpu.debugRegisters() },
                isRefused { () throws(KVMError) in _ = try vcpu.floatRegisters() },
                isRefused { () throws(KVMError) in _ = try vcpu.extendedState() },
                isRefused { () throws(KVMError) in _ = try vcpu.extendedControl() },
            ]
            #expect(hidden.allSatisfy { $0 == isTyped })
            #expect(isRefused { () throws(KVMError) in try vcpu.setGuestDebug(1) })
            #expect(try vcpu.modelSpecificRegisters([0xc000_0080]).count == (isTyped ? 0 : 1))
            #expect(try vcpu.setModelSpecificRegisters([(0xc000_0080, 0)]) == (isTyped ? 0 : 1))
            _ = try vcpu.events()
            _ = try vcpu.runState()
            if !isTyped { #expect(try vcpu.registers().rax == 0x1234) }
        }
    }

    @Test("a vCPU that is not launched does not run, and one without a VMSA fails at its entry")
    func entry() throws {
        try Self.withVM { vm, firmware in
            let early = try vm.makeVCPU(0)
            #expect(
                Self.refusal { () throws(KVMError) in _ = try early.run() }
                    == .failed(call: "KVM_RUN", on: "vCPU 0", .invalidArgument))
        }
        try Self.withVM { vm, firmware in
            try Self.initialize(vm, firmware)
            try Self.start(vm, firmware)
            try Self.plain(.launchUpdateVMSA, vm, firmware)
            let late = try vm.makeVCPU(0)
            #expect(try late.run() == .failedEntry(reason: .max, cpu: 0))
        }
    }

    @Test("what is none of its calls, or on the wrong descriptor, is refused as by KVM")
    func strangers() throws {
        let twin = KVMTwin()
        #expect(throws: Errno.noSuchFileOrDirectory) { try twin.open("/dev/null") }
        #expect(throws: Errno.badFileDescriptor) { try unsafe twin.ioctl(7, ckvm_get_api_version(0)) }
        let file = try twin.open("/dev/kvm")
        #expect(throws: Errno.inappropriateIOCTLForDevice) { try unsafe twin.ioctl(file, ckvm_run(0)) }
        #expect(throws: Errno.badAddress) { try unsafe twin.ioctl(file, ckvm_get_device_attr(nil)) }
        twin.close(file)
        #expect(throws: Errno.badFileDescriptor) { try unsafe twin.ioctl(file, ckvm_get_api_version(0)) }
        #expect(throws: KVMError.failed(call: "KVM_CREATE_VM", on: "/dev/kvm", .invalidArgument)) {
            _ = try SystemFD(KVMTwin(.init(hasTypedVMs: false))).makeVM(type: 3)
        }
    }
}
