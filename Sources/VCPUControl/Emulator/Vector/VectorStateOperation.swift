/// Instructions that load, save and restore the x87 and SSE state.
enum StateOperation: UInt8 {
    case ldmxcsr, stmxcsr
    case fxsave, fxsave64, fxrstor, fxrstor64
    case xsave, xsave64, xsaveopt, xsaveopt64, xrstor, xrstor64
    case xsavec, xsavec64, xsaves, xsaves64, xrstors, xrstors64
    case emms, fninit, fnclex, fnstcw, fldcw, fnstsw, fwait
}

extension EmulatedVCPU {
    mutating func executeState(_ operation: StateOperation, _ i: Instruction) throws(Fault) {
        switch operation {
        case .ldmxcsr, .stmxcsr: try requireSSE()
        case .emms where emulatesFPU: throw .invalidOpcode
        case .fwait: if taskSwitched && monitorsCoprocessor { throw .deviceNotAvailable }
        case .xsave, .xsave64, .xsaveopt, .xsaveopt64, .xrstor, .xrstor64, .xsavec, .xsavec64:
            try requireExtendedState()
        case .xsaves, .xsaves64, .xrstors, .xrstors64:
            try requireExtendedState()
            guard system.cpl == 0 else { throw .generalProtection() }
        default: guard !emulatesFPU && !taskSwitched else { throw .deviceNotAvailable }
        }
        switch operation {
        case .ldmxcsr: try loadMXCSR(i)
        case .stmxcsr: try store(vector.mxcsr.rawValue, at: effectiveAddress(i), i.segment)
        case .fxsave: try saveLegacy(i, wide: false)
        case .fxsave64: try saveLegacy(i, wide: true)
        case .fxrstor: try restoreLegacy(i, wide: false)
        case .fxrstor64: try restoreLegacy(i, wide: true)
        case .xsave, .xsaveopt: try saveExtended(i, wide: false)
        case .xsave64, .xsaveopt64: try saveExtended(i, wide: true)
        case .xsavec, .xsaves: try saveCompacted(i, wide: false)
        case .xsavec64, .xsaves64: try saveCompacted(i, wide: true)
        case .xrstors: try restoreExtended(i, wide: false, onlyCompacted: true)
        case .xrstors64: try restoreExtended(i, wide: true, onlyCompacted: true)
        case .xrstor: try restoreExtended(i, wide: false)
        case .xrstor64: try restoreExtended(i, wide: true)
        case .emms:
            try requireNoPending()
            vector.x87.empty()
        case .fninit: vector.x87.initialize()
        case .fnclex: vector.x87.status &= 0x7f00
        case .fnstcw: try store(vector.x87.control, at: effectiveAddress(i), i.segment)
        case .fldcw: try loadControlWord(i)
        case .fnstsw: try storeStatusWord(i)
        case .fwait: try requireNoPending()
        }
    }

    /// What each of the XSAVE family needs.
    private func requireExtendedState() throws(Fault) {
        guard savesExtendedState else { throw .invalidOpcode }
        guard !taskSwitched else { throw .deviceNotAvailable }
    }

    /// Reports an x87 exception that waits, as most x87 instructions do first.
    private func requireNoPending() throws(Fault) {
        guard vector.x87.isPending else { return }
        throw reportsX87Errors ? .x87FloatingPoint : .unimplemented
    }

    private mutating func loadMXCSR(_ i: Instruction) throws(Fault) {
        let value = try load(UInt32.self, at: effectiveAddress(i), i.segment)
        guard let mxcsr = MXCSR(rawValue: value) else { throw .generalProtection() }
        vector.mxcsr = mxcsr
    }

    private mutating func loadControlWord(_ i: Instruction) throws(Fault) {
        try requireNoPending()
        let value = try load(UInt16.self, at: effectiveAddress(i), i.segment)
        vector.x87.control = value
    }

    private mutating func storeStatusWord(_ i: Instruction) throws(Fault) {
        if i.form == .memory {
            try store(vector.x87.status, at: effectiveAddress(i), i.segment)
        } else {
            gpr[0] = gpr[0] & ~0xffff | UInt64(vector.x87.status)
        }
    }
}
