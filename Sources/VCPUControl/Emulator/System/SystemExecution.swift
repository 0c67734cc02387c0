/// Execution of system instructions: privilege first, then what they do.
extension EmulatedVCPU {
    /// Executes an instruction whose operation is `.system`.
    ///
    /// RIP is behind the instruction, or where it went, when this returns or throws `.stop`; with a
    /// fault it is still on the instruction. The caller counts the instruction.
    mutating func executeSystem(_ instruction: Instruction) throws(StopOrFault) {
        guard let operation = SystemOperation(rawValue: instruction.detail) else {
            throw .fault(.unimplemented)
        }
        do throws(Fault) {
            try checkPrivilege(operation, instruction)
            if try !transfer(operation, instruction) {
                try perform(operation, instruction)
                rip &+= UInt64(instruction.length)
            }
        } catch {
            throw .fault(error)
        }
        switch operation {
        case .hlt: throw .stop(.halt)
        case .int1: if let exit = deliver(.debugTrap) { throw .stop(exit) }
        default: return
        }
    }

    /// #GP, or #UD, for instructions that need CPL 0.
    private func checkPrivilege(
        _ operation: SystemOperation, _ instruction: Instruction
    ) throws(Fault) {
        guard system.cpl != 0 else { return }
        switch operation {
        case .clts, .lmsw, .lgdt, .lidt, .lldt, .ltr, .swapgs, .rdmsr, .wrmsr, .invlpg, .hlt,
            .invd, .wbinvd:
            throw .generalProtection()
        case .move where !SystemRegister(instruction).isSegment: throw .generalProtection()
        case .clac, .stac, .monitor, .mwait: throw .invalidOpcode
        default: return
        }
    }

    /// Executes instructions that set RIP themselves.
    ///
    /// - Returns: false for all others.
    private mutating func transfer(
        _ operation: SystemOperation, _ instruction: Instruction
    ) throws(Fault) -> Bool {
        switch operation {
        case .farJump: try farJump(instruction)
        case .farCall: try farCall(instruction)
        case .farReturn: try farReturn(instruction)
        case .interruptReturn: try interruptReturn(instruction)
        case .syscall: try systemCall(instruction)
        case .sysret: try systemReturn(instruction)
        case .int:
            let vector = UInt8(truncatingIfNeeded: instruction.immediate)
            try softwareInterrupt(vector, length: instruction.length)
        case .int3: try softwareInterrupt(3, length: instruction.length)
        default: return false
        }
        return true
    }

    /// MOV to or from a segment, control or debug register.
    private mutating func moveSystemRegister(_ instruction: Instruction) throws(Fault) {
        switch SystemRegister(instruction) {
        case .control(let number, let isWrite):
            try moveControl(number, isWrite: isWrite, instruction)
        case .debug(let number, let isWrite):
            try moveDebug(number, isWrite: isWrite, instruction)
        case .segment(let number, let isWrite):
            try moveSegment(number, isWrite: isWrite, instruction)
        }
    }

    /// Executes instructions that RIP goes on behind.
    private mutating func perform(
        _ operation: SystemOperation, _ instruction: Instruction
    ) throws(Fault) {
        switch operation {
        case .move: try moveSystemRegister(instruction)
        case .clts: system.cr0 &= ~CR0.taskSwitched
        case .lmsw: try loadStatusWord(try readWord(instruction))
        case .smsw: try writeWord(system.cr0, instruction)
        case .pushSegment, .popSegment, .lss, .lfs, .lgs:
            try segmentRegisters(operation, instruction)
        case .lgdt, .lidt, .sgdt, .sidt, .lldt, .sldt, .ltr, .str:
            try descriptorTables(operation, instruction)
        case .lar, .lsl, .verr, .verw: try inspectDescriptor(operation, instruction)
        case .rdfsbase, .wrfsbase, .rdgsbase, .wrgsbase, .swapgs:
            try segmentBases(operation, instruction)
        case .rdmsr, .wrmsr: try modelSpecificRegister(isWrite: operation == .wrmsr)
        case .rdtsc, .rdtscp, .rdpid, .xgetbv, .xsetbv, .cli, .sti, .clac, .stac, .invlpg:
            try processorState(operation, instruction)
        case .hlt, .int1: break
        case .input, .output, .inputString, .outputString: try portAccess(operation, instruction)
        default: try intercepted(operation)
        }
    }
}

extension Fault {
    /// #DB of a single step or ICEBP: intercepted, so it comes as #VC (REFERENCE 5f).
    static let debugTrap = Fault(
        vector: 29, errorCode: InterceptCode.exception(1), isTrap: true)
}
