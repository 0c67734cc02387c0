extension EmulatedVCPU {
    /// Executes an instruction whose `operation` is `.vector`; RIP is left to the caller.
    ///
    /// Throws `Fault.unimplemented` where the emulator does not know the outcome.
    mutating func executeVector(_ i: Instruction) throws(Fault) {
        guard let operation = VectorOperation(rawValue: i.detail) else { throw .unimplemented }
        switch operation {
        case .state(let operation): return try executeState(operation, i)
        case .move(.nonTemporal): break
        default: try requireSSE()
        }
        switch operation {
        case .move(let move): try executeMove(move, i)
        case .integer(let operation):
            let source = try vectorSource(i, aligned: true)
            vector[i.destination] = operation.combine(vector[i.destination], source)
        case .shift(let shift):
            let count = try shiftCount(i)
            vector[i.destination] = shift.shift(vector[i.destination], by: count)
        case .shuffle(let shuffle):
            let source = try vectorSource(i, aligned: true)
            let order = UInt8(truncatingIfNeeded: i.immediate)
            vector[i.destination] = shuffle.combine(vector[i.destination], source, order)
        case .float(let operation, let shape): try executeFloat(operation, shape, i)
        case .convert(let conversion): try executeConversion(conversion, i)
        case .state: break
        }
    }

    /// The conditions of every SSE instruction on CR0 and CR4; APM volume 2, section 11.3.
    ///
    /// Inlined, because a call that does not change the vCPU would copy it.
    @inline(__always)
    func requireSSE() throws(Fault) {
        guard !emulatesFPU && supportsSSE else { throw .invalidOpcode }
        guard !taskSwitched else { throw .deviceNotAvailable }
    }

    /// The second operand with all its 16 bytes.
    mutating func vectorSource(_ i: Instruction, aligned: Bool) throws(Fault) -> XMM {
        guard i.hasMemorySource else { return vector[i.source] }
        return try load128(at: effectiveAddress(i), i.segment, aligned: aligned)
    }

    /// The low 4 or 8 bytes of the second operand.
    mutating func scalarSource(_ i: Instruction, bytes: Int) throws(Fault) -> UInt64 {
        guard i.hasMemorySource else {
            return bytes == 4 ? vector[i.source][0] & 0xffff_ffff : vector[i.source][0]
        }
        let address = effectiveAddress(i)
        guard bytes == 4 else { return try load(UInt64.self, at: address, i.segment) }
        return UInt64(try load(UInt32.self, at: address, i.segment))
    }

    private mutating func shiftCount(_ i: Instruction) throws(Fault) -> UInt64 {
        if i.form == .registerImmediate { return i.immediate & 0xff }
        return try vectorSource(i, aligned: true)[0]
    }
}

/// What the control registers say of the x87 and SSE state.
extension EmulatedVCPU {
    /// CR0.MP.
    var monitorsCoprocessor: Bool { system.cr0 >> 1 & 1 != 0 }
    /// CR0.EM.
    var emulatesFPU: Bool { system.cr0 >> 2 & 1 != 0 }
    /// CR0.TS.
    var taskSwitched: Bool { system.cr0 >> 3 & 1 != 0 }
    /// CR0.NE.
    var reportsX87Errors: Bool { system.cr0 >> 5 & 1 != 0 }
    /// CR4.OSFXSR.
    var supportsSSE: Bool { system.cr4 >> 9 & 1 != 0 }
    /// CR4.OSXMMEXCPT.
    var reportsFloatErrors: Bool { system.cr4 >> 10 & 1 != 0 }
    /// CR4.OSXSAVE.
    var savesExtendedState: Bool { system.cr4 >> 18 & 1 != 0 }
}

extension Instruction {
    /// The source operand lies in memory.
    var hasMemorySource: Bool { form == .registerMemory || form == .registerMemoryImmediate }
}
