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
    /// What vCPUs on other threads are kept away by.
    private let lock: GuestLock
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
    /// Signals that came, one after the other, before KVM had executed anything.
    private var stalls = 0

    /// Milliseconds between two signals, and how many of them one instruction may outlast.
    private static let (beat, beatLimit): (UInt32, Int) = (100, 20)
    /// `KVM_INTERNAL_ERROR_EMULATION`: this KVM's emulator does not know the instruction.
    private static let emulationError: UInt32 = 1

    init(
        _ file: consuming VCPUFD, cpuid: [kvm_cpuid_entry2], interrupt: InterruptFlag,
        stretchStop: StopWay?, lock: GuestLock
    ) throws(KVMError) {
        try file.setCPUID(cpuid)
        file.page.setValidRegisters(UInt64(KVM_SYNC_X86_REGS))
        initial = (try file.systemRegisters(), try file.extendedState())
        self.file = file
        (self.interrupt, self.stretchStop, self.lock) = (interrupt, stretchStop, lock)
        try armStep()
    }

    /// Executes up to `limit` instructions, as `EmulatedVCPU.run(limit:)` does.
    func run(_ vcpu: inout EmulatedVCPU, limit: UInt64) -> CoreExit {
        let (sum, overflows) = vcpu.retired.addingReportingOverflow(limit)
        let end = overflows ? UInt64.max : sum
        do throws(KVMError) {
            // Among others it is asked to stop between two rounds, which are short.
            let kicking = lock.isShared ? nil : interrupt
            return try Heartbeat.during(every: Self.beat, file.page, kicking) {
                Result { () throws(KVMError) in
                    try lock.inTurn { () throws(KVMError) in
                        guard !interrupt.isRaised else { return .limit }
                        let exit = try advance(&vcpu, until: end)
                        try takeVectors(&vcpu)
                        return exit
                    }
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
            let (before, place) = (vcpu.retired, vcpu.rip)
            if let exit = try advance(&vcpu, until: end, by: way, standing: standing) {
                return exit
            }
            deliveries = vcpu.retired == before ? deliveries + 1 : 0
            standing = standing && deliveries > 0 && vcpu.rip == place
        }
        return .limit
    }

    /// Executes instructions, or delivers one exception; without a way to stop, one instruction.
    ///
    /// May do nothing at all, where KVM did not come to it.
    private func advance(
        _ vcpu: inout EmulatedVCPU, until end: UInt64, by way: StopWay?, standing: Bool
    ) throws(KVMError) -> CoreExit? {
        guard let next = instruction(of: &vcpu) else { return model(&vcpu) }
        if !standing, vcpu.memory.guest.code.hasBreakpoint(at: vcpu.rip) { return .breakpoint }
        guard !isRefused(next), vcpu.isPlain(next) else {
            lock.beAlone()
            return try model(&vcpu, next)
        }
        guard let way else { return try step(&vcpu, next) }
        guard !next.isBranch else { return try model(&vcpu, next) }
        guard let stretch = vcpu.stretch(from: next, limit: end - vcpu.retired, isRefused) else {
            return try step(&vcpu, next)
        }
        return try run(&vcpu, stretch, from: next, to: way)
    }

    /// The instruction at RIP; `nil` where its fetch is a fault.
    private func instruction(of vcpu: inout EmulatedVCPU) -> Instruction? {
        if let known = vcpu.decodedInstruction() { return known }
        lock.beAlone()
        do throws(Fault) {
            return try vcpu.decodeAhead()
        } catch { return nil }
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
        file.page.setRegisters(vcpu.registersForKVM(), addingFlags: FlagBits.trap)
        let exit = try lock.inGuest { () throws(KVMError) in try file.run() }
        if case .debug = exit { return finish(&vcpu, instruction) }
        // Every other exit may have cost kvm_amd its TF.
        try armStep()
        switch exit {
        case .interrupted where file.page.registers.rip != vcpu.rip:
            return finish(&vcpu, instruction)
        case .interrupted: return stall(at: vcpu.rip)
        case .internalError(Self.emulationError, _):
            refused.insert(instruction.kind)
            return nil
        default: return .shutdown("KVM leaves its vCPU at \(vcpu.rip.hex) with \(exit)")
        }
    }

    /// A signal came before KVM had executed anything.
    private func stall(at rip: UInt64) -> CoreExit? {
        if interrupt.isRaised { return .limit }
        stalls += 1
        guard stalls == Self.beatLimit else { return nil }
        return .shutdown("KVM does not come to an end with the instruction at \(rip.hex)")
    }

    private func finish(_ vcpu: inout EmulatedVCPU, _ instruction: Instruction) -> CoreExit? {
        let (rip, next) = (vcpu.rip, vcpu.rip &+ UInt64(instruction.length))
        finish(&vcpu, 1, file.page.registers.rip)
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
        file.page.setRegisters(vcpu.registersForKVM(), addingFlags: 0)
        let (exit, place, count) = try lock.inGuest { () throws(KVMError) in
            try enter(&vcpu, stretch, by: way)
        }
        guard let place, let count else {
            let text = "KVM was to run from \(stretch.start.hex) to \(stretch.end.hex)"
            return .shutdown("\(text), and leaves its vCPU with \(exit)")
        }
        if count > 0 { finish(&vcpu, count, place) }
        switch exit {
        case .interrupted where interrupt.isRaised: return .limit
        case .internalError where count == 0:
            refused.insert(first.kind)
            return nil
        default: return count > 0 ? nil : stall(at: vcpu.rip)
        }
    }

    /// Where KVM came to, and behind how many instructions: counted before the code can change.
    private func enter(
        _ vcpu: inout EmulatedVCPU, _ stretch: Stretch, by way: StopWay
    ) throws(KVMError) -> (exit: KVMExit, place: UInt64?, count: UInt64?) {
        let exit = try vcpu.patching(way.patch, at: stretch.end) {
            Result { () throws(KVMError) in try file.run() }
        }.get()
        let place = place(of: exit, by: way)
        return (exit, place, place.flatMap { vcpu.instructions(of: stretch, to: $0) })
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
        vcpu.take(file.page.registers)
        vcpu.rip = place
        vcpu.retired &+= count
        executed &+= count
        stalls = 0
    }
}

extension Instruction {
    /// What the instruction does, whatever its operands are.
    fileprivate var kind: UInt32 { UInt32(operation.rawValue) << 16 | UInt32(detail) }
}
