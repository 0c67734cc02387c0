/// Instructions that the hypervisor intercepts: #VC, after the instruction's own checks
/// (REFERENCE 8e).
extension EmulatedVCPU {
    /// Ends every instruction that is not executed natively: #UD, #GP or #VC.
    mutating func intercepted(_ operation: SystemOperation) throws(Fault) {
        switch operation {
        case .rdpmc:
            guard system.cpl == 0 || system.cr4 & CR4.performanceCounters != 0 else {
                throw .generalProtection()
            }
        case .rdpru:
            guard system.cpl == 0 || system.cr4 & CR4.timeStampDisable == 0 else {
                throw .invalidOpcode
            }
        case .vmrun, .vmload, .vmsave, .stgi, .clgi, .skinit, .invlpga:
            guard system.efer & Efer.secureVirtualMachine != 0 else { throw .invalidOpcode }
            guard system.cpl == 0 else { throw .generalProtection() }
        default: break
        }
        guard let code = operation.interceptCode else { throw .invalidOpcode }
        throw .vmmCommunication(code)
    }

    /// IN, OUT, INS and OUTS: the I/O permission, then #VC; nothing with a count of zero.
    mutating func portAccess(
        _ operation: SystemOperation, _ instruction: Instruction
    ) throws(Fault) {
        let isString = operation == .inputString || operation == .outputString
        var hasImmediate = false
        switch instruction.form {
        case .none, .register, .memory, .registerRegister, .registerMemory, .memoryRegister: break
        default: hasImmediate = !isString
        }
        let port = hasImmediate ? instruction.immediate & 0xff : gpr[2] & 0xffff
        try checkPort(port, width: UInt64(instruction.width))
        if isString, !instruction.prefixes.isDisjoint(with: [.rep, .repne]) {
            let isShort = instruction.prefixes.contains(.address32)
            guard gpr[1] & (isShort ? 0xffff_ffff : .max) != 0 else { return }
        }
        throw .vmmCommunication(InterceptCode.ioio)
    }

    /// The I/O permission bitmap of the TSS, where CPL > IOPL (APM volume 2, 12.2.5).
    private mutating func checkPort(_ port: UInt64, width: UInt64) throws(Fault) {
        guard system.cpl > UInt8(flags.value >> 12 & 3) else { return }
        let limit = UInt64(system.tr.limit)
        guard system.tr.attributes & 0x80 != 0, limit >= 0x67 else { throw .generalProtection() }
        let start = try loadSystem(system.tr.base &+ 0x66, size: 2)
        let offset = start + port >> 3
        guard offset + 1 <= limit else { throw .generalProtection() }
        let bits = try loadSystem(system.tr.base &+ offset, size: 2)
        let mask: UInt64 = (1 << width - 1) << (port & 7)
        guard bits & mask == 0 else { throw .generalProtection() }
    }
}

extension SystemOperation {
    /// The exit code of an intercepted instruction; `nil`: the instruction is undefined.
    var interceptCode: UInt64? {
        switch self {
        case .cpuid: InterceptCode.cpuid
        case .rdpmc: InterceptCode.rdpmc
        case .invd: InterceptCode.invd
        case .wbinvd: InterceptCode.wbinvd
        case .monitor: InterceptCode.monitor
        case .mwait: InterceptCode.mwait
        case .rdpru: InterceptCode.rdpru
        case .rsm: InterceptCode.rsm
        case .vmmcall: InterceptCode.vmmcall
        case .vmrun: InterceptCode.vmrun
        case .vmload: InterceptCode.vmload
        case .vmsave: InterceptCode.vmsave
        case .stgi: InterceptCode.stgi
        case .clgi: InterceptCode.clgi
        case .skinit: InterceptCode.skinit
        case .invlpga: InterceptCode.invlpga
        default: nil
        }
    }
}
