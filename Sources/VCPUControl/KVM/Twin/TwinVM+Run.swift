internal import CKVM
internal import SystemPackage

// KVM_RUN: the emulator's exits, as KVM shows them to the owner of an SEV-ES VM (REFERENCE 5e).
extension TwinVM {
    /// Instructions after which a signal comes, as it does to a vCPU that does not exit.
    private static let quantum: UInt64 = 20_000
    /// VMGEXITs that KVM answers without the owner, before a signal comes.
    private static let rounds = 1000

    func run(_ number: Int) throws(Errno) -> Int32 {
        let vcpu = vcpus[number]
        guard let page = vcpu.page, ghcbVersion != nil || !isTyped else { throw .invalidArgument }
        guard !isTyped || !page.wantsRegisters else { throw .invalidArgument }
        guard vcpu.isEncrypted else {
            // There is no VMSA to run on.
            page.setFailedEntry(reason: .max)
            return 0
        }
        let machine = try machine()
        memory?.enter()
        defer { memory?.leave() }
        do throws(Errno) {
            try finish(vcpu, page, number, machine)
            guard !page.isImmediate else { throw .interrupted }
            for _ in 0..<Self.rounds {
                let exit = try Self.emulated { () throws(MachineError) in
                    try machine.run(.one(number), limit: Self.quantum).exit
                }
                if try show(exit, vcpu, page) { return 0 }
            }
            throw .interrupted
        } catch {
            if error == .interrupted { page.setReason(KVM_EXIT_INTR) }
            throw error
        }
    }

    /// The emulator refuses nothing that the twin asks of it.
    private static func emulated<Value>(
        _ body: () throws(MachineError) -> Value
    ) throws(Errno) -> Value {
        do throws(MachineError) { return try body() } catch { throw .ioError }
    }

    /// Goes on with what the last exit left open.
    private func finish(
        _ vcpu: TwinVCPU, _ page: TwinRunPage, _ number: Int, _ machine: EmulatedMachine
    ) throws(Errno) {
        let open = vcpu.open
        if case .hold = open { throw .resourceTemporarilyUnavailable }
        vcpu.open = .nothing
        try Self.emulated { () throws(MachineError) in
            switch open {
            case .nothing, .hold: break
            case .halt: try machine.resume(number)
            case .port(let count): try machine.complete(number, with: page.portData(count))
            case .memory(let count): try machine.complete(number, with: page.memoryData(count))
            }
        }
    }

    /// Fills the mapping.
    ///
    /// - Returns: false where KVM runs the guest on by itself.
    private func show(
        _ exit: VCPUExit, _ vcpu: TwinVCPU, _ page: TwinRunPage
    ) throws(Errno) -> Bool {
        switch exit {
        case .limit, .interrupted, .idle, .breakpoint, .touched, .passed, .accessed, .vanished:
            throw .interrupted
        case .vmgexit(let exchange):
            trace(exchange)
            guard case .terminated(let termination) = exchange.outcome else {
                guard host.isTraced else { return false }
                throw .interrupted
            }
            try show(termination, exchange, page)
        case .io(let access):
            page.setPort(access)
            vcpu.open = .port(count: access.isInput ? access.size * access.count : 0)
        case .mmio(let access):
            page.setMemory(access)
            vcpu.open = .memory(count: access.isRead ? access.length : 0)
        case .halt:
            page.setReason(KVM_EXIT_HLT)
            vcpu.open = .halt
        case .apResetHold:
            page.setReason(KVM_EXIT_AP_RESET_HOLD)
            vcpu.open = .hold
        case .shutdown: page.setReason(KVM_EXIT_SHUTDOWN)
        // What KVM's own emulator says of an instruction; hardware has no such limit.
        case .unimplemented(let bytes):
            let record = [UInt8(clamping: bytes.count)] + bytes.prefix(15)
            page.setInternalError(
                1,
                [
                    1, UInt64(littleEndian: record.prefix(8)),
                    UInt64(littleEndian: record.dropFirst(8)),
                ])
        case .unknown(let reason): page.setReason(Int32(bitPattern: reason))
        }
        return true
    }

    /// As the tracepoints show it: the request before KVM wiped the page, and no RIP.
    private func trace(_ exchange: Exchange) {
        guard host.isTraced else { return }
        var exchange = exchange
        exchange.rip = .hidden(.protected)
        exchange.requestSource = .tracepoint
        traced.append(exchange)
    }

    private func show(
        _ termination: Termination, _ exchange: Exchange, _ page: TwinRunPage
    ) throws(Errno) {
        switch termination {
        case .requested, .refused: page.setTermination(exchange.msr)
        case .runFailed(let errno, _): throw Errno(rawValue: errno)
        case .internalError(let suberror, _):
            page.setInternalError(suberror, [exchange.exitCode?.rawValue ?? 0])
        }
    }
}

/// The `kvm_run` that the twin fills, and the data of a port access behind it.
///
/// Unsafe: the mapping is the owner's, and stays until that unmaps it.
@safe struct TwinRunPage {
    /// Of the mapping: `kvm_run`, a page of port data, and one that nobody uses here.
    static let size = 12288
    private static let dataOffset = 4096

    private let start: UnsafeMutableRawPointer
    private var run: UnsafeMutablePointer<kvm_run> {
        unsafe start.assumingMemoryBound(to: kvm_run.self)
    }

    init(_ start: UnsafeMutableRawPointer) { unsafe self.start = start }

    var isImmediate: Bool { unsafe run.pointee.immediate_exit != 0 }
    var wantsRegisters: Bool { unsafe run.pointee.kvm_valid_regs != 0 }

    func setReason(_ reason: Int32) { unsafe run.pointee.exit_reason = UInt32(reason) }

    func setPort(_ access: PortAccess) {
        setReason(KVM_EXIT_IO)
        unsafe run.pointee.io.direction = UInt8(access.isInput ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT)
        unsafe run.pointee.io.size = UInt8(clamping: access.size)
        unsafe run.pointee.io.port = access.port
        unsafe run.pointee.io.count = UInt32(clamping: access.count)
        unsafe run.pointee.io.data_offset = UInt64(Self.dataOffset)
        let data = access.data.prefix(Self.size - Self.dataOffset)
        unsafe (start + Self.dataOffset).copyMemory(from: Array(data), byteCount: data.count)
    }

    func portData(_ count: Int) -> [UInt8] {
        let count = min(count, Self.size - Self.dataOffset)
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start + Self.dataOffset, count: count))
    }

    func setMemory(_ access: MMIOAccess) {
        setReason(KVM_EXIT_MMIO)
        unsafe run.pointee.mmio.phys_addr = access.address.rawValue
        unsafe run.pointee.mmio.len = UInt32(clamping: access.length)
        unsafe run.pointee.mmio.is_write = access.isRead ? 0 : 1
        unsafe withUnsafeMutableBytes(of: &run.pointee.mmio.data) {
            unsafe $0.copyBytes(from: access.data.prefix(8))
        }
    }

    func memoryData(_ count: Int) -> [UInt8] {
        unsafe withUnsafeBytes(of: run.pointee.mmio.data) { unsafe [UInt8]($0.prefix(count)) }
    }

    /// `KVM_SYSTEM_EVENT_SEV_TERM`.
    func setTermination(_ msr: UInt64) {
        setReason(KVM_EXIT_SYSTEM_EVENT)
        unsafe run.pointee.system_event.type = 6
        unsafe run.pointee.system_event.ndata = 1
        unsafe run.pointee.system_event.data.0 = msr
    }

    func setInternalError(_ suberror: UInt32, _ data: [UInt64]) {
        setReason(KVM_EXIT_INTERNAL_ERROR)
        unsafe run.pointee.internal.suberror = suberror
        unsafe run.pointee.internal.ndata = UInt32(min(data.count, 16))
        unsafe withUnsafeMutableBytes(of: &run.pointee.internal.data) { buffer in
            for (index, word) in data.prefix(16).enumerated() {
                unsafe buffer.storeBytes(of: word, toByteOffset: index * 8, as: UInt64.self)
            }
        }
    }

    func setFailedEntry(reason: UInt64) {
        setReason(KVM_EXIT_FAIL_ENTRY)
        unsafe run.pointee.fail_entry.hardware_entry_failure_reason = reason
        unsafe run.pointee.fail_entry.cpu = 0
    }
}
