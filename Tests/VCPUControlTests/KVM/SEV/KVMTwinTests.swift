import CKVM
import SystemPackage
import Testing

@testable import VCPUControl

/// The rules of REFERENCE 4b, 5b and 5c, by the same functions that drive the hardware.
@Suite("The twin of the SEV-ES kernel interface")
struct KVMTwinTests {
    private static let refusedInit = KVMError.refused(.initialize, .invalidArgument, .success)

    private static func outOfOrder(_ command: SEVCommand) -> KVMError {
        .refused(command, .ioError, .invalidGuestState)
    }

    @Test("INIT2: version, features and flags are checked, and it comes once and before vCPUs")
    func initialization() throws {
        let wrong: [(UInt16, UInt64, UInt32)] = [(3, 0, 0), (2, 1 << 5, 0), (2, 0, 1)]
        for (version, features, flags) in wrong {
            let error = try TwinLaunch().refusal { launch throws(KVMError) in
                try launch.initialize(version: version, features: features, flags: flags)
            }
            #expect(error == Self.refusedInit)
        }
        let twice = try TwinLaunch()
        try twice.initialize()
        #expect(
            twice.refusal { launch throws(KVMError) in try launch.initialize() } == Self.refusedInit
        )
        let late = try TwinLaunch()
        _ = try late.makeVCPU()
        #expect(
            late.refusal { launch throws(KVMError) in try launch.initialize() } == Self.refusedInit)
    }

    @Test("the legacy call is for VMs of the default type, INIT2 for those of SEV-ES's own")
    func legacy() throws {
        let plain = try TwinLaunch(type: KVM_X86_DEFAULT_VM)
        #expect(
            plain.refusal { launch throws(KVMError) in try launch.initialize() } == Self.refusedInit
        )
        try plain.carryOut(.legacyInit)
        let error = try TwinLaunch().refusal { launch throws(KVMError) in
            try launch.carryOut(.legacyInit)
        }
        #expect(error == .refused(.legacyInit, .invalidArgument, .success))
    }

    @Test("a command out of order is refused, and the states of the guest are 0 to 3")
    func order() throws {
        let launch = try TwinLaunch()
        func refusal(_ body: (TwinLaunch) throws(KVMError) -> Void) -> KVMError? {
            launch.refusal(body)
        }
        #expect(
            refusal { launch throws(KVMError) in try launch.start() }
                == .refused(.launchStart, .inappropriateIOCTLForDevice, .success))
        try launch.initialize()
        #expect(try launch.state == 0)
        #expect(
            refusal { launch throws(KVMError) in try launch.carryOut(.launchFinish) }
                == Self.outOfOrder(.launchFinish))
        #expect(
            refusal { launch throws(KVMError) in try launch.start(policy: 1) }
                == .refused(.launchStart, .ioError, .policyFailure))
        try launch.start()
        #expect(try launch.state == 1)
        #expect(
            refusal { launch throws(KVMError) in try launch.start() }
                == Self.outOfOrder(.launchStart))
        #expect(
            refusal { launch throws(KVMError) in try launch.carryOut(.launchFinish) }
                == Self.outOfOrder(.launchFinish))
        try launch.carryOut(.launchUpdateVMSA)
        #expect(
            refusal { launch throws(KVMError) in try launch.carryOut(.launchUpdateVMSA) }
                == .refused(.launchUpdateVMSA, .invalidArgument, .success))
        try launch.measure()
        #expect(try launch.state == 2)
        #expect(
            refusal { launch throws(KVMError) in try launch.measure() }
                == Self.outOfOrder(.launchMeasure))
        try launch.carryOut(.launchFinish)
        #expect(try launch.state == 3)
    }

    @Test("DBG_DECRYPT: for guests that have a key, and whose policy allows it")
    func debugging() throws {
        let launch = try TwinLaunch()
        func refusal(_ count: UInt32 = 16) -> KVMError? {
            launch.refusal { launch throws(KVMError) in _ = try launch.decrypt(count) }
        }
        #expect(refusal() == .refused(.debugDecrypt, .inappropriateIOCTLForDevice, .success))
        try launch.initialize()
        #expect(refusal() == Self.outOfOrder(.debugDecrypt))
        launch.bytes = [UInt8](repeating: 0x5a, count: 0x2000)
        try launch.start()
        try launch.update(0, 0x2000)
        #expect(try launch.decrypt(0x2000) == [UInt8](repeating: 0x5a, count: 0x2000))
        #expect(refusal(0) == .refused(.debugDecrypt, .invalidArgument, .success))
        #expect(refusal(0x2010) == .refused(.debugDecrypt, .badAddress, .success))
        let closed = try TwinLaunch()
        try closed.initialize()
        try closed.start(policy: 5)
        #expect(
            closed.refusal { launch throws(KVMError) in _ = try launch.decrypt(16) }
                == .refused(.debugDecrypt, .ioError, .policyFailure))
    }

    @Test("LAUNCH_UPDATE_DATA: in units of 16 bytes, and the owner sees ciphertext behind it")
    func update() throws {
        let launch = try TwinLaunch()
        try launch.initialize()
        try launch.start()
        let plain = [UInt8](repeating: 0xaa, count: 0x2000)
        launch.bytes = plain
        for (offset, count, errno, firmware) in [
            (8, 16, Errno.ioError, SEVFirmwareError.invalidAddress),
            (0, 24, .ioError, .invalidLength), (0x1ff0, 32, .noMemory, .success),
        ] as [(Int, UInt32, Errno, SEVFirmwareError)] {
            let error = launch.refusal { launch throws(KVMError) in
                try launch.update(offset, count)
            }
            #expect(error == .refused(.launchUpdateData, errno, firmware))
        }
        #expect(launch.bytes == plain)
        try launch.update(0, 0x1000)
        let bytes = launch.bytes
        #expect(bytes[0x1000...].allSatisfy { $0 == 0xaa })
        #expect(bytes[..<0x1000].count { $0 == 0xaa } < 64)
    }

    @Test(
        "behind LAUNCH_UPDATE_VMSA each ioctl does what REFERENCE 5c says",
        arguments: [true, false])
    func visibility(isTyped: Bool) throws {
        let launch = try TwinLaunch(type: isTyped ? KVM_X86_SEV_ES_VM : KVM_X86_DEFAULT_VM)
        if isTyped { try launch.initialize() } else { try launch.carryOut(.legacyInit) }
        let vcpu = try launch.makeVCPU()
        var registers = kvm_regs()
        registers.rax = 0x1234
        try vcpu.file.setRegisters(registers)
        #expect(try vcpu.file.modelSpecificRegisters([0xc000_0080]).count == 1)
        try vcpu.file.setGuestDebug(UInt32(KVM_GUESTDBG_ENABLE))
        try launch.start()
        // A debugged vCPU cannot be encrypted.
        let debugged = launch.refusal { launch throws(KVMError) in
            try launch.carryOut(.launchUpdateVMSA)
        }
        #expect(debugged == .refused(.launchUpdateVMSA, .invalidArgument, .success))
        try vcpu.file.setGuestDebug(0)
        try launch.carryOut(.launchUpdateVMSA)
        if !isTyped { #expect(try vcpu.file.registers().rax == 0x1234) }
        let refused = Self.refused(vcpu)
        #expect(
            refused == (isTyped ? Self.hidden + ["KVM_SET_GUEST_DEBUG"] : ["KVM_SET_GUEST_DEBUG"]))
        #expect(try vcpu.file.modelSpecificRegisters([0xc000_0080]).count == (isTyped ? 0 : 1))
        let taken = try vcpu.file.setModelSpecificRegisters([(0xc000_0080, 0)])
        #expect(taken == (isTyped ? 0 : 1))
    }

    private static let hidden = [
        "KVM_GET_REGS", "KVM_SET_REGS", "KVM_GET_SREGS", "KVM_GET_SREGS2", "KVM_GET_DEBUGREGS",
        "KVM_GET_FPU", "KVM_GET_XSAVE", "KVM_GET_XCRS",
    ]

    /// The ioctls that fail with EINVAL.
    private static func refused(_ vcpu: EncryptedVCPU) -> [String] {
        var names: [String] = []
        func attempt(_ body: (EncryptedVCPU) throws(KVMError) -> Void) {
            do throws(KVMError) {
                try body(vcpu)
            } catch {
                if case .failed(let call, _, .invalidArgument) = error { names.append(call) }
            }
        }
        attempt { vcpu throws(KVMError) in _ = try vcpu.file.registers() }
        attempt { vcpu throws(KVMError) in try vcpu.file.setRegisters(kvm_regs()) }
        attempt { vcpu throws(KVMError) in _ = try vcpu.file.systemRegisters() }
        attempt { vcpu throws(KVMError) in _ = try vcpu.file.systemRegisters2() }
        attempt { vcpu throws(KVMError) in _ = try vcpu.file.debugRegisters() }
        attempt { vcpu throws(KVMError) in _ = try vcpu.file.floatRegisters() }
        attempt { vcpu throws(KVMError) in _ = try vcpu.file.extendedState() }
        attempt { vcpu throws(KVMError) in _ = try vcpu.file.extendedControl() }
        attempt { vcpu throws(KVMError) in try vcpu.file.setGuestDebug(1) }
        attempt { vcpu throws(KVMError) in _ = try vcpu.file.events() }
        attempt { vcpu throws(KVMError) in _ = try vcpu.file.runState() }
        return names
    }

    @Test("a vCPU that is not launched does not run, and one without a VMSA fails at its entry")
    func entry() throws {
        let early = try TwinLaunch()
        let vcpu = try early.makeVCPU()
        #expect(throws: KVMError.failed(call: "KVM_RUN", on: "vCPU 0", .invalidArgument)) {
            _ = try vcpu.file.run()
        }
        let launch = try TwinLaunch()
        try launch.initialize()
        try launch.start()
        try launch.carryOut(.launchUpdateVMSA)
        let late = try launch.makeVCPU()
        #expect(try late.file.run() == .failedEntry(reason: .max, cpu: 0))
    }

    @Test("what is none of its calls, or on the wrong descriptor, is refused as by KVM")
    func strangers() throws {
        let twin = KVMTwin()
        func errno(_ file: Int32, _ call: ckvm_call) -> Errno? {
            do throws(Errno) { _ = unsafe try twin.ioctl(file, call) } catch { return error }
            return nil
        }
        #expect(throws: Errno.noSuchFileOrDirectory) { try twin.open("/dev/null") }
        #expect(unsafe errno(7, ckvm_get_api_version(0)) == .badFileDescriptor)
        let file = try twin.open("/dev/kvm")
        #expect(unsafe errno(file, ckvm_get_api_version(0)) == nil)
        #expect(unsafe errno(file, ckvm_run(0)) == .inappropriateIOCTLForDevice)
        #expect(unsafe errno(file, ckvm_get_device_attr(nil)) == .badAddress)
        twin.close(file)
        #expect(unsafe errno(file, ckvm_get_api_version(0)) == .badFileDescriptor)
        #expect(throws: KVMError.failed(call: "KVM_CREATE_VM", on: "/dev/kvm", .invalidArgument)) {
            try TwinLaunch(.init(hasTypedVMs: false))
        }
    }
}
