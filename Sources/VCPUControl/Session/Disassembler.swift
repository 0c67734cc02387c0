internal import CZydis

/// One instruction as text, and what a debugger has to know to step over it.
struct DisassembledInstruction: Equatable {
    /// Where an instruction leads besides the next one.
    enum Flow: Equatable {
        case next, call, jump, `return`
    }

    /// AT&T syntax, as gdb shows it.
    var text: String
    /// Bytes, 1…15.
    var length: Int
    var flow: Flow
}

/// Disassembles 64-bit code in AT&T syntax with Zydis; branch targets carry their symbols.
///
/// Each pointer given to Zydis lives until the call returns; the formatter holds pointers into
/// itself, so it stays where it was allocated.
@safe
final class Disassembler {
    static let longestInstruction = 15

    private let formatter: UnsafeMutablePointer<ZydisFormatter>
    private var decoder = ZydisDecoder()

    init() {
        unsafe formatter = .allocate(capacity: 1)
        unsafe formatter.initialize(to: ZydisFormatter())
        unsafe ZydisFormatterInit(formatter, ZYDIS_FORMATTER_STYLE_ATT)
        for (property, value) in Self.properties {
            unsafe ZydisFormatterSetProperty(formatter, property, value)
        }
        unsafe ZydisDecoderInit(
            &decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
    }

    deinit { unsafe formatter.deallocate() }

    /// What makes Zydis write numbers as gdb does.
    private static let properties: [(ZydisFormatterProperty, ZyanUPointer)] = [
        (ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, 0),
        (ZYDIS_FORMATTER_PROP_FORCE_RELATIVE_RIPREL, 1),
        (ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, disabled),
        (ZYDIS_FORMATTER_PROP_ADDR_PADDING_RELATIVE, disabled),
        (ZYDIS_FORMATTER_PROP_DISP_PADDING, disabled),
        (ZYDIS_FORMATTER_PROP_IMM_PADDING, disabled),
        (ZYDIS_FORMATTER_PROP_IMM_SIGNEDNESS, unsigned),
    ]
    private static let disabled = ZyanUPointer(ZYDIS_PADDING_DISABLED.rawValue)
    private static let unsigned = ZyanUPointer(ZYDIS_SIGNEDNESS_UNSIGNED.rawValue)

    /// - Returns: `nil` where the bytes are no instruction, or not all of one.
    func disassemble(
        _ bytes: [UInt8], at address: GuestVirtualAddress, symbols: SymbolTable
    ) -> DisassembledInstruction? {
        var instruction = unsafe ZydisDecodedInstruction()
        var operands = Array(
            repeating: ZydisDecodedOperand(), count: Int(ZYDIS_MAX_OPERAND_COUNT))
        let status = unsafe ZydisDecoderDecodeFull(
            &decoder, bytes, ZyanUSize(bytes.count), &instruction, &operands)
        guard Self.succeeded(status) else { return nil }
        var text = Self.mnemonicOfVMGEXIT(bytes)
        if text == nil { text = unsafe format(&instruction, operands, at: address) }
        guard let text else { return nil }
        let target = unsafe target(&instruction, operands, at: address)
        return unsafe DisassembledInstruction(
            text: Self.arrange(text) + Self.describe(target, symbols),
            length: Int(instruction.length), flow: Self.flow(instruction.meta.category))
    }

    private static func succeeded(_ status: ZyanStatus) -> Bool { status & 0x8000_0000 == 0 }

    /// `rep vmmcall` is VMGEXIT (REFERENCE 3), but not yet to Zydis.
    private static func mnemonicOfVMGEXIT(_ bytes: [UInt8]) -> String? {
        bytes.starts(with: [0xf3, 0x0f, 0x01, 0xd9]) ? "vmgexit" : nil
    }

    private func format(
        _ instruction: inout ZydisDecodedInstruction, _ operands: [ZydisDecodedOperand],
        at address: GuestVirtualAddress
    ) -> String? {
        var buffer = [CChar](repeating: 0, count: 256)
        let status = unsafe ZydisFormatterFormatInstruction(
            formatter, &instruction, operands, instruction.operand_count_visible, &buffer,
            ZyanUSize(buffer.count), address.rawValue, nil)
        guard Self.succeeded(status) else { return nil }
        let characters = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let text = String(decoding: characters, as: UTF8.self)
        let isAlone = unsafe instruction.operand_count_visible == 1
        return isAlone ? Self.sized(text, operands.first) : text
    }

    /// The arithmetic with one operand, whose size in memory Zydis does not tell.
    private static let unsized: Set = ["inc", "dec", "neg", "not", "mul", "imul", "div", "idiv"]
    private static let suffixes: [UInt16: String] = [8: "b", 16: "w", 32: "l", 64: "q"]

    private static func sized(_ text: String, _ operand: ZydisDecodedOperand?) -> String {
        guard let operand, operand.type == ZYDIS_OPERAND_TYPE_MEMORY,
            let suffix = suffixes[operand.size]
        else { return text }
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        return words.map { unsized.contains($0) ? $0 + suffix : $0 }.joined(separator: " ")
    }

    /// A branch target or the address of a RIP-relative operand.
    private enum Target {
        case branch(UInt64)
        case memory(UInt64)
    }

    private func target(
        _ instruction: inout ZydisDecodedInstruction, _ operands: [ZydisDecodedOperand],
        at address: GuestVirtualAddress
    ) -> Target? {
        for var operand in unsafe operands.prefix(Int(instruction.operand_count_visible)) {
            var found: ZyanU64 = 0
            // Zydis fills the member of the union that the type names.
            let isBranch =
                operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operand.imm.is_relative != 0
            let isRelative =
                operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.base == ZYDIS_REGISTER_RIP
            guard isBranch || isRelative else { continue }
            let status = unsafe ZydisCalcAbsoluteAddress(
                &instruction, &operand, address.rawValue, &found)
            guard Self.succeeded(status) else { continue }
            return isBranch ? .branch(found) : .memory(found)
        }
        return nil
    }

    private static func describe(_ target: Target?, _ symbols: SymbolTable) -> String {
        switch target {
        case .branch(let address): symbols.suffix(address)
        case .memory(let address): "        # " + address.hex + symbols.suffix(address)
        case nil: ""
        }
    }

    private static func flow(_ category: ZydisInstructionCategory) -> DisassembledInstruction.Flow {
        switch category {
        case ZYDIS_CATEGORY_CALL: .call
        case ZYDIS_CATEGORY_RET: .return
        case ZYDIS_CATEGORY_COND_BR, ZYDIS_CATEGORY_UNCOND_BR, ZYDIS_CATEGORY_SYSCALL,
            ZYDIS_CATEGORY_SYSRET, ZYDIS_CATEGORY_INTERRUPT:
            .jump
        default: .next
        }
    }

    /// gdb's columns: the mnemonic in six, and no blank behind a comma.
    private static func arrange(_ text: String) -> String {
        let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2, let mnemonic = parts.first, let operands = parts.last else {
            return text
        }
        if prefixes.contains(mnemonic) { return mnemonic + " " + arrange(operands) }
        let tight = operands.split(separator: ", ").joined(separator: ",")
        return renamed(mnemonic).padded(to: 6) + " " + tight
    }

    private static let prefixes: Set = ["rep", "repe", "repz", "repne", "repnz", "lock"]

    /// Zydis's names of conditions, and those that gdb uses instead.
    private static let conditions = [
        "nbe": "a", "nb": "ae", "nle": "g", "nl": "ge", "nz": "ne", "z": "e",
    ]

    /// `jnz` as `jne`, and so with SETcc and CMOVcc.
    private static func renamed(_ mnemonic: String) -> String {
        for prefix in ["j", "set", "cmov"] where mnemonic.hasPrefix(prefix) {
            if let name = conditions[String(mnemonic.dropFirst(prefix.count))] {
                return prefix + name
            }
        }
        return mnemonic
    }
}

extension SymbolTable {
    /// ` <name+0x12>`, or nothing where no symbol covers the address.
    func suffix(_ address: UInt64) -> String {
        describe(GuestVirtualAddress(address)).map { " <\($0)>" } ?? ""
    }
}
