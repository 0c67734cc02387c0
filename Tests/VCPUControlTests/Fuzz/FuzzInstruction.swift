import CZydis

/// What Zydis knows of an instruction, with its operands.
struct FuzzInstruction {
    let mnemonic: ZydisMnemonic
    let length: Int
    let branch: ZydisBranchType
    let isString: Bool
    /// 3DNow! and SSE4A.
    let isOnlyAMD: Bool
    /// `ZYDIS_ATTRIB_…`.
    let attributes: UInt64
    /// 32 or 64.
    let addressWidth: UInt8
    /// Status flags that Zydis calls undefined.
    let undefinedByZydis: UInt64
    /// Place and size in bytes of the displacement.
    let displacement: (offset: Int, size: Int)
    /// All operands, the hidden ones too.
    let operands: [ZydisDecodedOperand]

    init(_ decoded: ZydisDecodedInstruction, _ operands: [ZydisDecodedOperand]) {
        unsafe mnemonic = decoded.mnemonic
        unsafe length = Int(decoded.length)
        unsafe branch = decoded.meta.branch_type
        unsafe isString = decoded.meta.category == ZYDIS_CATEGORY_STRINGOP
        let isOnlyAMD: [ZydisISAExt] = [ZYDIS_ISA_EXT_AMD3DNOW, ZYDIS_ISA_EXT_SSE4A]
        unsafe self.isOnlyAMD = isOnlyAMD.contains(decoded.meta.isa_ext)
        unsafe attributes = decoded.attributes
        unsafe addressWidth = decoded.address_width
        unsafe undefinedByZydis = UInt64(decoded.cpu_flags?.pointee.undefined ?? 0)
        let field = unsafe decoded.raw.disp
        displacement = (Int(field.offset), Int(field.size) / 8)
        // Zydis 4.0.0 finds a base where 67h, REX.B and SIB.base 5 say that there is none.
        let hasNoBase =
            unsafe decoded.raw.modrm.mod == 0 && decoded.raw.modrm.rm == 4
            && decoded.raw.sib.base == 5
        self.operands = operands.map { operand in
            guard hasNoBase, operand.type == ZYDIS_OPERAND_TYPE_MEMORY,
                operand.encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM
            else { return operand }
            var corrected = operand
            corrected.mem.base = ZYDIS_REGISTER_NONE
            corrected.mem.disp.value = unsafe decoded.raw.disp.value
            return corrected
        }
    }

    var popsFlags: Bool {
        mnemonic == ZYDIS_MNEMONIC_POPF || mnemonic == ZYDIS_MNEMONIC_POPFD
            || mnemonic == ZYDIS_MNEMONIC_POPFQ
    }
    var isBranch: Bool { branch != ZYDIS_BRANCH_TYPE_NONE }
    /// F2 or F3 before a string instruction.
    var repeats: Bool { attributes & 7 << 28 != 0 }

    /// The name of the instruction in capitals, as the table of exclusions has it.
    var name: String {
        guard let text = unsafe ZydisMnemonicGetString(mnemonic) else { return "?" }
        return unsafe String(cString: text)
    }

    func isRegister(_ number: Int) -> Bool {
        number < operands.count && operands[number].type == ZYDIS_OPERAND_TYPE_REGISTER
    }

    /// The number of a general register that is an operand.
    func generalRegister(_ number: Int) -> Int? {
        guard isRegister(number) else { return nil }
        return FuzzInstruction.general(operands[number].reg.value)
    }

    /// The encoding number of a general register of 16, 32 or 64 bits; of AL…BL, too.
    static func general(_ register: ZydisRegister) -> Int? {
        switch ZydisRegisterGetClass(register) {
        case ZYDIS_REGCLASS_GPR16, ZYDIS_REGCLASS_GPR32, ZYDIS_REGCLASS_GPR64:
            return Int(ZydisRegisterGetId(register))
        case ZYDIS_REGCLASS_GPR8 where ZydisRegisterGetId(register) < 4:
            return Int(ZydisRegisterGetId(register))
        default: return nil
        }
    }
}

/// Zydis in 64-bit mode.
struct FuzzDecoder {
    private var zydis = ZydisDecoder()

    init() {
        unsafe ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
        for mode in [ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CLDEMOTE] {
            unsafe ZydisDecoderEnableMode(&zydis, mode, 0)
        }
    }

    /// The instruction at the start of the bytes.
    mutating func decode(_ bytes: [UInt8]) -> FuzzInstruction? {
        var decoded = unsafe ZydisDecodedInstruction()
        var isValid = false
        let operands = unsafe [ZydisDecodedOperand](unsafeUninitializedCapacity: 10) {
            buffer, used in
            let status = unsafe ZydisDecoderDecodeFull(
                &zydis, bytes, bytes.count, &decoded, buffer.baseAddress)
            isValid = status & 0x8000_0000 == 0
            unsafe used = isValid ? Int(decoded.operand_count) : 0
        }
        return isValid ? unsafe FuzzInstruction(decoded, operands) : nil
    }

    /// The instruction in Intel syntax.
    static func text(_ bytes: [UInt8], at address: UInt64) -> String {
        var instruction = unsafe ZydisDisassembledInstruction()
        let status = unsafe ZydisDisassembleIntel(
            ZYDIS_MACHINE_MODE_LONG_64, address, bytes, bytes.count, &instruction)
        guard status & 0x8000_0000 == 0 else { return "(bad)" }
        return unsafe withUnsafeBytes(of: instruction.text) { text in
            unsafe String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
