internal import CKVM
internal import Glibc
internal import SystemPackage

/// The memory that KVM and a vCPU's owner share, unmapped with this value: `struct kvm_run`, and the
/// data of port accesses behind it.
///
/// Unsafe: the only place that points into the mapping.
@safe
struct RunPage: ~Copyable {
    private let start: UnsafeMutableRawPointer
    private let count: Int
    private let syscalls: any KVMSyscalls

    private var run: UnsafeMutablePointer<kvm_run> {
        unsafe start.assumingMemoryBound(to: kvm_run.self)
    }

    init(_ descriptor: borrowing KVMDescriptor, size: Int) throws(KVMError) {
        guard size >= MemoryLayout<kvm_run>.size else {
            throw .lacks("KVM shares \(size) bytes of a vCPU, less than a kvm_run has")
        }
        let start: UnsafeMutableRawPointer
        do throws(Errno) {
            unsafe start = try descriptor.syscalls.map(descriptor.number, count: size)
        } catch { throw .failed(call: "mmap", on: descriptor.subject, error) }
        unsafe self.start = start
        (count, syscalls) = (size, descriptor.syscalls)
    }

    deinit { unsafe syscalls.unmap(start, count: count) }

    /// Where a signal handler makes the next `KVM_RUN` come back at once.
    var immediateExit: UnsafeMutablePointer<UInt8> {
        unsafe withUnsafeMutablePointer(to: &run.pointee.immediate_exit) { unsafe $0 }
    }

    /// Makes the next `KVM_RUN` finish what an exit has left open, and come back at once.
    func setImmediateExit(_ value: Bool) { unsafe run.pointee.immediate_exit = value ? 1 : 0 }

    /// Which state each exit brings along: `KVM_SYNC_X86_REGS` and so on.
    func setValidRegisters(_ classes: UInt64) { unsafe run.pointee.kvm_valid_regs = classes }

    /// The general-purpose registers, RIP and RFLAGS as the last exit left them.
    var registers: kvm_regs { unsafe run.pointee.s.regs.regs }

    /// Makes the next `KVM_RUN` start with these registers, if the last exit left others.
    ///
    /// Flags that no exit shows are added where KVM gets the registers: TF, which kvm_amd loses
    /// wherever RFLAGS is written without it.
    func setRegisters(_ registers: kvm_regs, addingFlags flags: UInt64) {
        let isSame = unsafe withUnsafeBytes(of: registers) { bytes in
            unsafe bytes.baseAddress.map {
                unsafe memcmp($0, &run.pointee.s.regs.regs, bytes.count) == 0
            } ?? false
        }
        guard !isSame else { return }
        unsafe run.pointee.s.regs.regs = registers
        unsafe run.pointee.s.regs.regs.rflags |= flags
        unsafe run.pointee.kvm_dirty_regs |= UInt64(KVM_SYNC_X86_REGS)
    }

    /// The kernel's name for the last exit.
    var exitName: String {
        "KVM_EXIT_" + PassedExit.Kind.other(unsafe run.pointee.exit_reason).name
    }

    /// The last exit.
    ///
    /// Each part of it is read once: the mapping may be that of a vCPU that runs.
    var exit: KVMExit {
        let reason = unsafe run.pointee.exit_reason
        switch Int32(bitPattern: reason) {
        case KVM_EXIT_EXCEPTION:
            let exception = unsafe run.pointee.ex
            return .exception(vector: exception.exception, errorCode: exception.error_code)
        case KVM_EXIT_IO: return port
        case KVM_EXIT_HYPERCALL:
            let call = unsafe run.pointee.hypercall
            let arguments = call.args
            return .hypercall(
                number: call.nr,
                arguments: [
                    arguments.0, arguments.1, arguments.2, arguments.3, arguments.4, arguments.5,
                ])
        case KVM_EXIT_DEBUG:
            let debug = unsafe run.pointee.debug.arch
            return .debug(vector: debug.exception, pc: debug.pc, dr6: debug.dr6, dr7: debug.dr7)
        case KVM_EXIT_HLT: return .halt
        case KVM_EXIT_MMIO: return memory
        case KVM_EXIT_SHUTDOWN: return .shutdown
        case KVM_EXIT_FAIL_ENTRY:
            let failure = unsafe run.pointee.fail_entry
            return .failedEntry(reason: failure.hardware_entry_failure_reason, cpu: failure.cpu)
        case KVM_EXIT_INTR: return .interrupted
        case KVM_EXIT_INTERNAL_ERROR: return internalError
        case KVM_EXIT_SYSTEM_EVENT:
            let event = unsafe run.pointee.system_event
            return .systemEvent(type: event.type, data: event.ndata > 0 ? event.data.0 : nil)
        case KVM_EXIT_X86_RDMSR:
            let access = unsafe run.pointee.msr
            return .readMSR(access.index, reason: access.reason)
        case KVM_EXIT_X86_WRMSR:
            let access = unsafe run.pointee.msr
            return .writeMSR(access.index, access.data, reason: access.reason)
        case KVM_EXIT_AP_RESET_HOLD: return .apResetHold
        case KVM_EXIT_MEMORY_FAULT:
            // `struct { __u64 flags, gpa, size; } memory_fault` of Linux 6.8.
            let words = unsafe run.pointee.system_event
            return .memoryFault(
                flags: UInt64(words.ndata) << 32 | UInt64(words.type), address: words.data.0,
                size: words.data.1)
        default: return .unknown(reason)
        }
    }

    /// A port access; KVM's word for where its data is, is checked.
    private var port: KVMExit {
        let access = unsafe run.pointee.io
        let size = Int(access.size) * Int(access.count)
        let offset = Int(clamping: access.data_offset)
        guard offset <= count, size <= count - offset else {
            return .unknown(UInt32(KVM_EXIT_IO))
        }
        let isInput = Int32(access.direction) == KVM_EXIT_IO_IN
        let bytes = unsafe UnsafeRawBufferPointer(start: start + offset, count: isInput ? 0 : size)
        return .port(
            PortAccess(
                port: access.port, size: Int(access.size), count: Int(access.count),
                data: unsafe [UInt8](bytes), isInput: isInput))
    }

    private var memory: KVMExit {
        let access = unsafe run.pointee.mmio
        let length = Int(min(access.len, 8))
        let isRead = access.is_write == 0
        let data = unsafe withUnsafeBytes(of: access.data) { unsafe [UInt8]($0.prefix(length)) }
        return .memory(
            MMIOAccess(
                address: GuestPhysicalAddress(access.phys_addr), length: length,
                data: isRead ? [] : data, isRead: isRead))
    }

    private var internalError: KVMExit {
        let error = unsafe run.pointee.internal
        let data = unsafe withUnsafeBytes(of: error.data) { bytes in
            (0..<min(Int(error.ndata), 16)).map {
                unsafe bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)
            }
        }
        return .internalError(suberror: error.suberror, data: data)
    }

    /// Answers the port or memory access of the last exit, which was a read.
    ///
    /// - Returns: false where it was none, or the bytes are more than it asks for.
    func answer(_ bytes: [UInt8]) -> Bool {
        switch exit {
        case .port(let access) where access.isInput && bytes.count == access.size * access.count:
            let offset = unsafe Int(run.pointee.io.data_offset)
            unsafe (start + offset).copyMemory(from: bytes, byteCount: bytes.count)
        case .memory(let access) where access.isRead && bytes.count == access.length:
            unsafe withUnsafeMutableBytes(of: &run.pointee.mmio.data) {
                unsafe $0.copyBytes(from: bytes)
            }
        default: return false
        }
        return true
    }
}
