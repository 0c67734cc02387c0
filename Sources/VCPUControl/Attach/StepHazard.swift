/// What a tracer has to know of an instruction before KVM steps over it (APM volume 3).
///
/// Everything else can be stepped unseen.
enum StepHazard: Sendable, Equatable {
    /// HLT: KVM without SVM or VMX loses a halt that is stepped over.
    case halt
    /// PUSHF, of 8, 4 or 2 bytes: on SVM it shows the guest the trap flag of the step.
    case pushesFlags(hasOperandSize: Bool)
    /// POPF and SYSRET: on SVM the next step's trap flag is gone.
    case loadsFlags
    /// IRET: the same, and KVM without SVM or VMX stops one instruction too late.
    case interruptReturn(isQuad: Bool)
    /// Far transfers, MOV to CR, INVLPG: what is known of the addresses of code no longer holds.
    case changesMapping
    /// The bytes are not known.
    case unknown

    /// Takes the bytes at RIP, in any mode; `nil` where the instruction is none of these.
    init?(_ bytes: some RandomAccessCollection<UInt8>) {
        var rest = bytes[...]
        var (hasOperandSize, isQuad) = (false, false)
        while let prefix = rest.first, SteppedInstruction.isPrefix(prefix) {
            hasOperandSize = hasOperandSize || prefix == 0x66
            isQuad = prefix & 0xf8 == 0x48
            rest = rest.dropFirst()
        }
        let second = rest.dropFirst().first
        switch rest.first {
        case nil: self = .unknown
        case 0xf4: self = .halt
        case 0x9c: self = .pushesFlags(hasOperandSize: hasOperandSize)
        case 0x9d: self = .loadsFlags
        case 0xcf: self = .interruptReturn(isQuad: isQuad)
        case 0x9a, 0xea, 0xca, 0xcb: self = .changesMapping
        case 0xff where second == nil || [3, 5].contains((second ?? 0) >> 3 & 7):
            self = .changesMapping
        case 0x0f where second == nil: self = .unknown
        case 0x0f where second == 0x07: self = .loadsFlags
        case 0x0f where second == 0x22: self = .changesMapping
        case 0x0f where second == 0x01 && (rest.dropFirst(2).first ?? 0x38) >> 3 & 7 == 7:
            self = .changesMapping
        default: return nil
        }
    }
}
