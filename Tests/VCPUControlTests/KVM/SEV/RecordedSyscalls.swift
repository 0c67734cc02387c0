import CKVM
import SystemPackage

@testable import VCPUControl

/// Passes system calls on to the twin, keeps them as text, and lets one of them fail.
///
/// Unsafe: reads the arguments of ioctls, whose size they bring along.
@safe final class RecordedSyscalls: KVMSyscalls {
    /// Which call fails, and how.
    struct Failure {
        var call: Int
        var errno: Errno
        /// What the firmware says, for a command of SEV.
        var firmware = SEVFirmwareError.success
    }

    private let twin: KVMTwin
    private let failure: Failure?
    /// Every call that can fail, with what is worth reading of its bytes.
    private(set) var lines: [String] = []
    /// What the failing call was.
    private(set) var failed: String?
    private(set) var files: Set<Int32> = []
    /// Sizes by address.
    private(set) var mappings: [UInt: Int] = [:]
    private(set) var pins = 0
    /// The start of the guest's memory, from which addresses are counted.
    private var memory: UInt = 0

    init(_ host: KVMTwin.Host = .init(), failing failure: Failure? = nil) {
        twin = KVMTwin(host)
        self.failure = failure
    }

    /// Whether everything was given back.
    var isClean: Bool { files.isEmpty && mappings.isEmpty && pins == 0 }

    func open(_ path: String) throws(Errno) -> Int32 {
        try note("open \(path)")
        let file = try twin.open(path)
        files.insert(file)
        return file
    }

    func close(_ descriptor: Int32) {
        files.remove(descriptor)
        twin.close(descriptor)
    }

    func map(_ descriptor: Int32, count: Int) throws(Errno) -> UnsafeMutableRawPointer {
        try note("mmap \(descriptor == anonymousMemory ? "memory" : "kvm_run"), \(count) bytes")
        let start = unsafe try twin.map(descriptor, count: count)
        mappings[UInt(bitPattern: start)] = count
        if descriptor == anonymousMemory { memory = UInt(bitPattern: start) }
        return unsafe start
    }

    func unmap(_ start: UnsafeMutableRawPointer, count: Int) {
        mappings[UInt(bitPattern: start)] = nil
        unsafe twin.unmap(start, count: count)
    }

    func ioctl(_ descriptor: Int32, _ call: ckvm_call) throws(Errno) -> Int32 {
        let name = unsafe String(cString: call.name)
        do throws(Errno) {
            try note(unsafe text(name, call))
        } catch {
            if name == "KVM_MEMORY_ENCRYPT_OP", let firmware = failure?.firmware.rawValue {
                unsafe call.argument?.storeBytes(of: firmware, toByteOffset: 16, as: UInt32.self)
            }
            throw error
        }
        let result = unsafe try twin.ioctl(descriptor, call)
        if name.hasPrefix("KVM_CREATE") { files.insert(result) }
        if name.hasSuffix("_UNREG_REGION") {
            pins -= 1
        } else if name.hasSuffix("_REG_REGION") {
            pins += 1
        }
        return result
    }

    private func note(_ line: String) throws(Errno) {
        lines.append(line)
        guard let failure, failure.call == lines.count - 1 else { return }
        failed = line
        throw failure.errno
    }
}

// Calls as text.
extension RecordedSyscalls {
    private func text(_ name: String, _ call: ckvm_call) -> String {
        guard unsafe call.size > 0, let start = unsafe call.argument else {
            return name + " \(UInt(bitPattern: unsafe call.argument))"
        }
        func word(_ offset: Int) -> UInt32 {
            unsafe start.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
        }
        func quad(_ offset: Int) -> UInt64 {
            unsafe start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
        switch name {
        case "KVM_MEMORY_ENCRYPT_OP": return command(word(0), UInt(quad(8)))
        case "KVM_GET_DEVICE_ATTR": return name + " group \(word(4)) attribute \(quad(8))"
        case "KVM_SET_USER_MEMORY_REGION":
            return name + " slot \(word(0)) at \(quad(8).hex), \(quad(16).hex) bytes"
        case "KVM_MEMORY_ENCRYPT_REG_REGION", "KVM_MEMORY_ENCRYPT_UNREG_REGION":
            return name + " at \(place(quad(0))), \(quad(8).hex) bytes"
        case "KVM_SET_REGS": return name + " rip \(quad(128).hex) rsp \(quad(48).hex)"
        case "KVM_SET_SREGS":
            let system = unsafe start.assumingMemoryBound(to: kvm_sregs.self)
            return unsafe name + " cr0 \(system.pointee.cr0.hex) cr3 \(system.pointee.cr3.hex)"
                + " cr4 \(system.pointee.cr4.hex) efer \(system.pointee.efer.hex)"
        case "KVM_SET_XCRS": return name + " xcr0 \(quad(16).hex)"
        case "KVM_SET_MSRS": return name + " \(word(8).hex) = \(quad(16).hex)"
        default: return name
        }
    }

    private func command(_ number: UInt32, _ address: UInt) -> String {
        guard let command = SEVCommand(rawValue: number) else { return "command \(number)" }
        guard let data = unsafe UnsafeRawPointer(bitPattern: address) else { return command.name }
        func word(_ offset: Int) -> UInt32 {
            unsafe data.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
        }
        func quad(_ offset: Int) -> UInt64 {
            unsafe data.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
        switch command {
        case .initialize:
            let version = word(12) & 0xffff
            return command.name
                + " vmsa_features \(quad(0).hex) flags \(word(8)) ghcb_version \(version)"
        case .launchStart: return command.name + " policy \(word(4).hex)"
        case .launchUpdateData: return command.name + " at \(place(quad(0))), \(word(8).hex) bytes"
        case .launchMeasure: return command.name + " \(word(8)) bytes"
        default: return command.name
        }
    }

    private func place(_ address: UInt64) -> String {
        "memory + \((address &- UInt64(memory)).hex)"
    }
}
