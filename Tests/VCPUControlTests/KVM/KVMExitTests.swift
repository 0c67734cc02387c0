import CKVM
import SystemPackage
import Testing

@testable import VCPUControl

@Suite("KVM exits")
struct KVMExitTests {
    /// The double has no mapping.
    private struct Missing: Error {}

    /// Decodes a `kvm_run`: the reason at byte 8, what belongs to it from byte 32.
    private static func exit(
        _ reason: Int32, _ words: [UInt64] = [], at offset: Int = 32,
        error: Errno? = nil, data: [UInt8] = []
    ) throws -> KVMExit {
        let syscalls = KVMDouble()
        syscalls.failures["KVM_RUN"] = error
        var exit = KVMExit.unknown(.max)
        try KVMCallTests.open(syscalls) { _, _, vcpu in
            guard let page = unsafe syscalls.page else { throw Missing() }
            unsafe page.storeBytes(of: UInt32(reason), toByteOffset: 8, as: UInt32.self)
            for (index, word) in words.enumerated() {
                unsafe page.storeBytes(of: word, toByteOffset: offset + index * 8, as: UInt64.self)
            }
            for (index, byte) in data.enumerated() {
                unsafe page.storeBytes(of: byte, toByteOffset: 4096 + index, as: UInt8.self)
            }
            exit = try vcpu.run()
        }
        return exit
    }

    @Test("each reason of the reference with its data")
    func reasons() throws {
        #expect(try Self.exit(KVM_EXIT_HLT) == .halt)
        #expect(try Self.exit(KVM_EXIT_SHUTDOWN) == .shutdown)
        #expect(try Self.exit(KVM_EXIT_INTR) == .interrupted)
        #expect(try Self.exit(KVM_EXIT_AP_RESET_HOLD) == .apResetHold)
        #expect(
            try Self.exit(KVM_EXIT_EXCEPTION, [7 << 32 | 14])
                == .exception(vector: 14, errorCode: 7))
        #expect(
            try Self.exit(KVM_EXIT_HYPERCALL, [12, 1, 2, 3, 4, 5, 6])
                == .hypercall(number: 12, arguments: [1, 2, 3, 4, 5, 6]))
        #expect(
            try Self.exit(KVM_EXIT_DEBUG, [1, 0x1000, 0x4000, 0x400])
                == .debug(vector: 1, pc: 0x1000, dr6: 0x4000, dr7: 0x400))
        #expect(
            try Self.exit(KVM_EXIT_FAIL_ENTRY, [0xbad, 3]) == .failedEntry(reason: 0xbad, cpu: 3))
        #expect(
            try Self.exit(KVM_EXIT_INTERNAL_ERROR, [2 << 32 | 4, 0x6e, 0x10])
                == .internalError(suberror: 4, data: [0x6e, 0x10]))
        #expect(
            try Self.exit(KVM_EXIT_SYSTEM_EVENT, [1 << 32 | 6, 0x1100])
                == .systemEvent(type: 6, data: 0x1100))
        #expect(try Self.exit(KVM_EXIT_SYSTEM_EVENT, [1]) == .systemEvent(type: 1, data: nil))
        #expect(
            try Self.exit(KVM_EXIT_X86_RDMSR, [0, 0x1b << 32 | 4, 0])
                == .readMSR(0x1b, reason: 4))
        #expect(
            try Self.exit(KVM_EXIT_X86_WRMSR, [0, 0x1b << 32 | 4, 0xfee])
                == .writeMSR(0x1b, 0xfee, reason: 4))
        #expect(try Self.exit(99) == .unknown(99))
    }

    @Test("port accesses bring their data, if it lies in the mapping")
    func ports() throws {
        // direction, size, port, count; offset of the data
        let output: UInt64 = 2 << 32 | 0x3f8 << 16 | 1 << 8 | 1
        #expect(
            try Self.exit(KVM_EXIT_IO, [output, 4096], data: [0x68, 0x69])
                == .port(
                    PortAccess(
                        port: 0x3f8, size: 1, count: 2, data: [0x68, 0x69], isInput: false)))
        #expect(
            try Self.exit(KVM_EXIT_IO, [output - 1, 4096])
                == .port(PortAccess(port: 0x3f8, size: 1, count: 2, data: [], isInput: true)))
        for offset in [UInt64(KVMDouble.mappingSize) - 1, .max, 1 << 63] {
            #expect(try Self.exit(KVM_EXIT_IO, [output, offset]) == .unknown(2))
        }
        let huge: UInt64 = 0xffff_ffff << 32 | 0x3f8 << 16 | 0xff << 8 | 1
        #expect(try Self.exit(KVM_EXIT_IO, [huge, 4096]) == .unknown(2))
    }

    @Test("memory accesses bring at most eight bytes")
    func memory() throws {
        let data: UInt64 = 0x8877_6655_4433_2211
        let write = try Self.exit(KVM_EXIT_MMIO, [0xfe00_0000, data, 1 << 32 | 2])
        #expect(
            write
                == .memory(
                    MMIOAccess(
                        address: .init(0xfe00_0000), length: 2, data: [0x11, 0x22], isRead: false)))
        let read = try Self.exit(KVM_EXIT_MMIO, [0xfe00_0000, data, 0xffff])
        #expect(
            read
                == .memory(
                    MMIOAccess(address: .init(0xfe00_0000), length: 8, data: [], isRead: true)))
    }

    @Test("a signal is an exit; so is a memory fault, which comes with EFAULT")
    func errors() throws {
        #expect(try Self.exit(KVM_EXIT_HLT, error: .interrupted) == .interrupted)
        #expect(
            try Self.exit(KVM_EXIT_MEMORY_FAULT, [8, 0x5000, 0x1000], error: .badAddress)
                == .memoryFault(flags: 8, address: 0x5000, size: 0x1000))
        for error in [Errno.invalidArgument, .badAddress] {
            #expect(throws: KVMError.failed(call: "KVM_RUN", on: "vCPU 0", error)) {
                try Self.exit(KVM_EXIT_HLT, error: error)
            }
        }
    }

    @Test("an answer fits the access that asks for it, or is none")
    func answers() throws {
        let syscalls = KVMDouble()
        try KVMCallTests.open(syscalls) { _, _, vcpu in
            guard let page = unsafe syscalls.page else { throw Missing() }
            var taken = [vcpu.page.answer([1])]
            unsafe page.storeBytes(of: UInt32(KVM_EXIT_MMIO), toByteOffset: 8, as: UInt32.self)
            unsafe page.storeBytes(of: 4, toByteOffset: 48, as: UInt64.self)
            taken += [vcpu.page.answer([1, 2]), vcpu.page.answer([1, 2, 3, 4])]
            #expect(taken == [false, false, true])
            #expect(unsafe page.load(fromByteOffset: 40, as: UInt32.self) == 0x0403_0201)
        }
    }

    @Test("finishing an exit executes nothing, and the flag is down again")
    func finish() throws {
        let syscalls = KVMDouble()
        syscalls.failures["KVM_RUN"] = .interrupted
        try KVMCallTests.open(syscalls) { _, _, vcpu in
            try vcpu.finish()
            guard let page = unsafe syscalls.page else { throw Missing() }
            #expect(unsafe page.load(fromByteOffset: 1, as: UInt8.self) == 0)
        }
    }
}
