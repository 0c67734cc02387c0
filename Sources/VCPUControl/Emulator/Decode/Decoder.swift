internal import CZydis

/// Turns bytes into `Instruction`s, by Zydis.
///
/// Unsafe: its pointers are two buffers of its own that Zydis fills.
@safe
struct Decoder: ~Copyable {
    private var zydis = ZydisDecoder()
    private let operands: UnsafeMutablePointer<ZydisDecodedOperand>
    private let decoded: UnsafeMutablePointer<ZydisDecodedInstruction>

    init() {
        let count = Int(ZYDIS_MAX_OPERAND_COUNT)
        unsafe operands = .allocate(capacity: count)
        unsafe operands.initialize(repeating: ZydisDecodedOperand(), count: count)
        unsafe decoded = .allocate(capacity: 1)
        unsafe decoded.initialize(to: ZydisDecodedInstruction())
        unsafe ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
        // Without CET, MPX and CLDEMOTE their encodings are no-operations, as on the CPU we are.
        for mode in [ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CLDEMOTE] {
            unsafe ZydisDecoderEnableMode(&zydis, mode, 0)
        }
    }

    deinit {
        unsafe operands.deallocate()
        unsafe decoded.deallocate()
    }

    /// Decodes the instruction at the start of the bytes; `nil`: it needs more of them.
    mutating func decode(_ bytes: UnsafeRawBufferPointer) -> Instruction? {
        let status = unsafe ZydisDecoderDecodeFull(
            &zydis, bytes.baseAddress, bytes.count, decoded, operands)
        switch status {
        case Status.noMoreData where bytes.count < 15: return nil
        case Status.noMoreData, Status.tooLong: return Instruction(operation: .tooLong)
        case Status.firstError...: return Instruction(operation: .undefined)
        case _ where unsafe decoded.pointee.isKnightsCorner:
            return Instruction(operation: .undefined)
        default: return unsafe Instruction(Encoding(decoded.pointee, operands, bytes))
        }
    }

    /// What Zydis answers; its macros do not import (`Zydis/Status.h`).
    private enum Status {
        static let firstError: ZyanStatus = 0x8000_0000
        static let noMoreData: ZyanStatus = 0x8020_0000
        static let tooLong: ZyanStatus = 0x8020_0002
    }
}

extension ZydisDecodedInstruction {
    /// Encodings of a coprocessor that Zydis knows and no processor of ours: VEX with TZCNT, for one.
    fileprivate var isKnightsCorner: Bool {
        let extensions = [ZYDIS_ISA_EXT_KNC, ZYDIS_ISA_EXT_KNCE, ZYDIS_ISA_EXT_KNCV]
        return unsafe extensions.contains(meta.isa_ext)
    }
}

/// What Zydis found out about an instruction, as far as the emulator asks for it.
struct Encoding {
    let mnemonic: ZydisMnemonic
    let length: UInt8
    let opcode: UInt8
    let map: ZydisOpcodeMap
    /// No VEX, EVEX, XOP or 3DNow!.
    let isLegacy: Bool
    let isString: Bool
    let isFar: Bool
    /// PUSH and POP, whose width is the instruction's: 8 bytes for a segment register, too.
    let isStack: Bool
    /// Effective widths in bits.
    let operandWidth: UInt8
    let addressWidth: UInt8
    let attributes: ZydisInstructionAttributes
    /// Whether F2 or F3 is among the prefixes; Zydis drops it from VMGEXIT.
    let repeats: Bool
    /// The displacement where SIB has no base; Zydis 4.0 takes R13D for it with 67h and REX.B.
    let displacementWithoutBase: Int64?
    /// The visible operands, as the Intel syntax orders them.
    let operands: [ZydisDecodedOperand]

    fileprivate init(
        _ decoded: ZydisDecodedInstruction, _ operands: UnsafePointer<ZydisDecodedOperand>,
        _ bytes: UnsafeRawBufferPointer
    ) {
        mnemonic = unsafe decoded.mnemonic
        length = unsafe decoded.length
        opcode = unsafe decoded.opcode
        map = unsafe decoded.opcode_map
        isLegacy = unsafe decoded.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY
        isString = unsafe decoded.meta.category == ZYDIS_CATEGORY_STRINGOP
        isFar = unsafe decoded.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR
        isStack = mnemonic == ZYDIS_MNEMONIC_PUSH || mnemonic == ZYDIS_MNEMONIC_POP
        operandWidth = unsafe decoded.operand_width
        addressWidth = unsafe decoded.address_width
        attributes = unsafe decoded.attributes
        let prefixes = unsafe bytes.prefix(Int(decoded.length)).dropLast(3)
        repeats = unsafe prefixes.contains { $0 == 0xf2 || $0 == 0xf3 }
        let raw = unsafe decoded.raw
        let hasBase = raw.modrm.mod != 0 || raw.modrm.rm != 4 || raw.sib.base != 5
        displacementWithoutBase = hasBase || addressWidth != 32 ? nil : raw.disp.value
        let visible = unsafe Int(decoded.operand_count_visible)
        self.operands = unsafe Array(UnsafeBufferPointer(start: operands, count: visible))
    }

    /// Whether Zydis found a prefix: 27 LOCK, 28 REP, 29 REPE, 30 REPNE, 41 FS, 42 GS
    /// (`Zydis/SharedTypes.h`).
    func has(attribute bit: UInt64) -> Bool { attributes >> bit & 1 != 0 }
}
