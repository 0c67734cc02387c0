internal import CKVM

/// Executes the instructions of one vCPU: the plain ones by KVM, the others by the model.
///
/// A single one is stepped. In a longer run KVM executes what lies between two branches at once,
/// stopped by a way that works here, and the model the branches.
///
/// The model is the vCPU of the emulator, on the same memory. It decodes ahead, so that no
/// instruction reaches KVM that SEV-ES would intercept, that would fault, or that single-steps
/// badly: IRET and POPF lose TF on kvm_amd, HLT leaves a halt behind on PVM, and `rep vmmcall` never
/// comes back there. Between runs the model has all state, between instructions all but the SSE
/// registers.
final class KVMProcessor {
    private let file: VCPUFD
    private let interrupt: InterruptFlag
    /// What stops KVM behind several instructions; `nil`: each is stepped.
    private let stretchStop: StopWay?
    /// What KVM starts with: of the system registers and of the x87, some parts stay like this.
    private let initial: (system: kvm_sregs, vectors: kvm_xsave)
    /// The state that KVM has; `nil`: it has to get it anew.
    private var loaded: SystemRegisters?
    /// Whether KVM may use translations that the guest has declared void.
    private var hasStaleTranslations = false
    /// Whether KVM's SSE registers are the ones that count, not the model's.
    private var holdsVectors = false
    /// The instructions that KVM's own emulator turned out not to know.
    private var refused: Set<UInt32> = []
    /// The way to stop that KVM is prepared for.
    private var armed: StopWay?
    /// Instructions that KVM has executed.
    private(set) var executed: UInt64 = 0

    /// Milliseconds between two signals, and how many of them one instruction may outlast.
    private static let (beat, beatLimit): (UInt32, Int) = (100, 20)
    /// `KVM_INTERNAL_ERROR_EMULATION`: this KVM's emulator does not know the instruction.
    private static let emulationError: UInt32 = 1

    init(
        _ file: consuming VCPUFD, cpuid: [kvm_cpuid_entry2], interrupt: InterruptFlag,
        stretchStop: StopWay?
    ) throws(KVMError) {
        try file.setCPUID(cpuid)
        file.page.setValidRegisters(UInt64(KVM_SYNC_X86_REGS))
        initial = (try file.systemRegisters(), try file.extendedState())
        self.file = file
        (self.interrupt, self.stretchStop) = (interrupt, stretchStop)
        try armStep()
    }

    /// Executes up to `limit` instructions, as `EmulatedVCPU.run(limit:)` does.
    func run(_ vcpu: inout EmulatedVCPU, limit: UInt64) -> CoreExit {
        let (sum, overflows) = vcpu.retired.addingReportingOverflow(limit)
        let end = overflows ? UInt64.max : sum
        do throws(KVMError) {
            return try Heartbeat.during(every: Self.beat, file.page, interrupt) {
                Result { () throws(KVMError) in
                    guard !interrupt.isRaised else { return .limit }
                    let exit = try advance(&vcpu, until: end)
                    try takeVectors(&vcpu)
                    return exit
                }
            }.get()
        } catch { return .shutdown(error.message) }
    }

    private func advance(
        _ vcpu: inout EmulatedVCPU, until end: UInt64
    ) throws(KVMError) -> CoreExit {
        // One instruction alone is stepped, branches too, and KVM stays prepared for that.
        let way = end - vcpu.retired > 1 ? stretchStop : nil
        var (standing, deliveries) = (true, 0)
        while vcpu.retired < end && deliveries < EmulatedVCPU.deliveryLimit {
            let before = vcpu.retired
            if let exit = try advance(&vcpu, until: end, by: way, standing: standing) {
                return exit
            }
            deliveries = vcpu.retired == before ? deliveries + 1 : 0
            standing = false
        }
        return .limit
    }

    /// Executes instructions, or delivers one exception; without a way to stop, one instruction.
    private func advance(
        _ vcpu: inout EmulatedVCPU, until end: UInt64, by way: StopWay?, standing: Bool
    ) throws(KVMError) -> CoreExit? {
        let next: Instruction?
        do throws(Fault) {
            next = try vcpu.decodeAhead()
        } catch { next = nil }
        guard let next else { return model(&vcpu) }
        if !standing, vcpu.memory.guest.code.hasBreakpoint(at: vcpu.rip) { return .breakpoint }
        guard !isRefused(next), vcpu.isPlain(next) else { return try model(&vcpu, next) }
        guard let way else { return try step(&vcpu, next) }
        guard !next.isBranch else { return try model(&vcpu, next) }
        guard let stretch = vcpu.stretch(from: next, limit: end - vcpu.retired, isRefused) else {
            return try step(&vcpu, next)
        }
        return try run(&vcpu, stretch, from: next, to: way)
    }

    private func isRefused(_ instruction: Instruction) -> Bool {
        refused.contains(instruction.kind)
    }

    /// Has the model execute an instruction.
    private func model(
        _ vcpu: inout EmulatedVCPU, _ instruction: Instruction
    ) throws(KVMError) -> CoreExit? {
        switch instruction.operation {
        case .vector: try takeVectors(&vcpu)
        case .system:
            let operation = SystemOperation(rawValue: instruction.detail)
            if operation == .invlpg || operation == .move { hasStaleTranslations = true }
        default: break
        }
        return model(&vcpu)
    }

    private func model(_ vcpu: inout EmulatedVCPU) -> CoreExit? {
        let exit = vcpu.run(limit: 1, deliveries: 1)
        return exit == .limit ? nil : exit
    }
}

// MARK: - KVM's part

extension KVMProcessor {
    /// Has KVM execute an instruction.
    ///
    /// It is over when RIP has moved, or KVM says so: not every exit is KVM_EXIT_DEBUG.
    private func step(
        _ vcpu: inout EmulatedVCPU, _ instruction: Instruction
    ) throws(KVMError) -> CoreExit? {
        try load(vcpu.system)
        if instruction.operation == .vector { try giveVectors(&vcpu) }
        if armed != .singleStep { try armStep() }
        file.page.setRegisters(kvm_regs(vcpu), addingFlags: FlagBits.trap)
        for _ in 0..<Self.beatLimit {
            switch try file.run() {
            case .debug: return finish(&vcpu, instruction)
            case .interrupted:
                // Every exit but KVM_EXIT_DEBUG may have cost kvm_amd its TF.
                try armStep()
                if file.page.registers.rip != vcpu.rip { return finish(&vcpu, instruction) }
                if interrupt.isRaised { return .limit }
            case .internalError(Self.emulationError, _):
                try armStep()
                refused.insert(instruction.kind)
                return try model(&vcpu, instruction)
            case let exit:
                return .shutdown("KVM leaves its vCPU at \(vcpu.rip.hex) with \(exit)")
            }
            file.page.setRegisters(kvm_regs(vcpu), addingFlags: FlagBits.trap)
        }
        return .shutdown("KVM does not come to an end with the instruction at \(vcpu.rip.hex)")
    }

    private func finish(_ vcpu: inout EmulatedVCPU, _ instruction: Instruction) -> CoreExit? {
        let (rip, next) = (vcpu.rip, vcpu.rip &+ UInt64(instruction.length))
        vcpu.take(file.page.registers)
        vcpu.retired &+= 1
        executed &+= 1
        guard vcpu.rip == next || instruction.isBranch else {
            return .shutdown("KVM's step from \(rip.hex) ended at \(vcpu.rip.hex), not \(next.hex)")
        }
        return nil
    }

    private func armStep() throws(KVMError) {
        try file.setGuestDebug(StopWay.singleStep.debugFlags)
        armed = .singleStep
    }

    /// Brings KVM's state outside the register file up to date.
    private func load(_ system: SystemRegisters) throws(KVMError) {
        guard loaded != system || hasStaleTranslations else { return }
        if hasStaleTranslations {
            // KVM drops translations when CR3 changes; its bit 4 is about caching only.
            var other = system
            other.cr3 ^= 0x10
            try file.setSystemRegisters(kvm_sregs(other, initial.system))
        }
        try file.setSystemRegisters(kvm_sregs(system, initial.system))
        (loaded, hasStaleTranslations) = (system, false)
    }

    /// Makes KVM's SSE registers the ones that count.
    private func giveVectors(_ vcpu: inout EmulatedVCPU) throws(KVMError) {
        guard !holdsVectors else { return }
        var area = initial.vectors
        vcpu.vector.put(into: &area)
        try file.setExtendedState(area)
        holdsVectors = true
    }

    /// Makes the model's SSE registers the ones that count.
    private func takeVectors(_ vcpu: inout EmulatedVCPU) throws(KVMError) {
        guard holdsVectors else { return }
        vcpu.vector.take(try file.extendedState())
        holdsVectors = false
    }
}

// MARK: - Several instructions at once

extension KVMProcessor {
    /// Has KVM execute a stretch, or its part before a signal or an instruction that KVM refuses.
    private func run(
        _ vcpu: inout EmulatedVCPU, _ stretch: Stretch, from first: Instruction, to way: StopWay
    ) throws(KVMError) -> CoreExit? {
        try load(vcpu.system)
        if stretch.hasVectors { try giveVectors(&vcpu) }
        try arm(way, at: stretch.end)
        for _ in 0..<Self.beatLimit {
            file.page.setRegisters(kvm_regs(vcpu), addingFlags: 0)
            let exit = try vcpu.patching(way.patch, at: stretch.end) {
                Result { () throws(KVMError) in try file.run() }
            }.get()
            guard let place = place(of: exit, by: way),
                let count = vcpu.instructions(of: stretch, to: place)
            else {
                let text = "KVM was to run from \(stretch.start.hex) to \(stretch.end.hex)"
                return .shutdown("\(text), and leaves its vCPU with \(exit)")
            }
            finish(&vcpu, count, place)
            switch exit {
            case .interrupted where interrupt.isRaised: return .limit
            case .internalError where count == 0:
                refused.insert(first.kind)
                return try model(&vcpu, first)
            default: if count > 0 { return nil }
            }
        }
        return .shutdown("KVM does not come to an end with the instruction at \(vcpu.rip.hex)")
    }

    /// Prepares KVM to stop at an address; what stands in the code is enough for some ways.
    private func arm(_ way: StopWay, at end: UInt64) throws(KVMError) {
        guard armed != way || way.patch == nil else { return }
        try file.setGuestDebug(way.debugFlags, breakpoints: [end])
        armed = way
    }

    /// The next instruction after an exit that a stretch may have.
    private func place(of exit: KVMExit, by way: StopWay) -> UInt64? {
        let rip = file.page.registers.rip
        return switch exit {
        case .halt where way == .halt: rip &- 1
        case .debug where way != .halt: rip
        case .interrupted, .internalError(Self.emulationError, _): rip
        default: nil
        }
    }

    private func finish(_ vcpu: inout EmulatedVCPU, _ count: UInt64, _ place: UInt64) {
        guard count > 0 else { return }
        vcpu.take(file.page.registers)
        vcpu.rip = place
        vcpu.retired &+= count
        executed &+= count
    }
}

extension Instruction {
    /// What the instruction does, whatever its operands are.
    fileprivate var kind: UInt32 { UInt32(operation.rawValue) << 16 | UInt32(detail) }

    /// Whether the next instruction may be another than the one behind it.
    var isBranch: Bool {
        switch operation {
        case .jmp, .jmpIndirect, .call, .callIndirect, .ret, .loop, .loope, .loopne, .jrcxz,
            .jo, .jno, .jb, .jnb, .jz, .jnz, .jbe, .jnbe, .js, .jns, .jp, .jnp, .jl, .jnl, .jle,
            .jnle:
            true
        default: false
        }
    }
}
