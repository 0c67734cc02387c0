/// What a user means by `$name`: a register, a part of one, or a system register.
package enum NamedRegister: Sendable, Equatable {
    /// `bits` bits of a register from bit `shift` on.
    case part(Register, shift: UInt8, bits: UInt8)
    case system(SystemRegisterName)
    /// `msr_c0000080`: a model-specific register by its number.
    case modelSpecific(UInt32)

    /// Takes the name without the `$`; gdb's `pc`, `sp`, `fp` and `eflags` too.
    package init?(_ name: String) {
        let name = name.lowercased()
        if let operand = Self.table[name] {
            self = operand
        } else if let register = SystemRegisterName(rawValue: name) {
            self = .system(register)
        } else if name.hasPrefix("msr_"), let number = UInt32(name.dropFirst(4), radix: 16) {
            self = .modelSpecific(number)
        } else {
            return nil
        }
    }

    /// Every name, for completion.
    package static var names: [String] {
        table.keys.sorted() + SystemRegisterName.allCases.map(\.rawValue)
    }

    /// Whether C would compare the value as a signed number: gdb's types of the registers.
    var isSigned: Bool {
        switch self {
        case .part(let register, _, let bits):
            bits == 64 && ![.rip, .rsp, .rflags].contains(register)
        case .system, .modelSpecific: false
        }
    }

    private static func whole(_ register: Register) -> NamedRegister {
        .part(register, shift: 0, bits: 64)
    }

    private static let table: [String: NamedRegister] = {
        var table: [String: NamedRegister] = [
            "pc": whole(.rip), "sp": whole(.rsp), "fp": whole(.rbp),
            "eip": .part(.rip, shift: 0, bits: 32), "eflags": .part(.rflags, shift: 0, bits: 32),
        ]
        for register in Register.allCases {
            table[register.name] = whole(register)
            for (name, operand) in parts(of: register) { table[name] = operand }
        }
        return table
    }()

    private static func parts(of register: Register) -> [(String, NamedRegister)] {
        func low(_ bits: UInt8) -> NamedRegister { .part(register, shift: 0, bits: bits) }
        let base = String(register.name.dropFirst())
        switch register {
        case .rax, .rcx, .rdx, .rbx:
            let letter = String(base.prefix(1))
            return [
                ("e" + base, low(32)), (base, low(16)), (letter + "l", low(8)),
                (letter + "h", .part(register, shift: 8, bits: 8)),
            ]
        // `sp` is all of RSP, as in gdb.
        case .rsp: return [("esp", low(32)), ("spl", low(8))]
        case .rbp, .rsi, .rdi:
            return [("e" + base, low(32)), (base, low(16)), (base + "l", low(8))]
        case .rip, .rflags: return []
        default:
            let name = register.name
            return [
                (name + "d", low(32)), (name + "w", low(16)), (name + "b", low(8)),
                (name + "l", low(8)),
            ]
        }
    }
}

/// A register outside the register file, by the name that gdb gives it; read-only.
package enum SystemRegisterName: String, CaseIterable, Sendable {
    case cs, ss, ds, es, fs, gs
    case fsBase = "fs_base"
    case gsBase = "gs_base"
    case cr0, cr2, cr3, cr4, cr8, efer, xcr0, dr6, dr7
    case gdtr, idtr, tr, ldtr
    /// `MSR_AMD64_SEV_ES_GHCB`.
    case ghcb

    /// The register's value: the selector of a segment, the base of a table.
    package func value(in registers: SystemRegisters) -> UInt64 {
        switch self {
        case .cs: UInt64(registers.cs.selector)
        case .ss: UInt64(registers.ss.selector)
        case .ds: UInt64(registers.ds.selector)
        case .es: UInt64(registers.es.selector)
        case .fs: UInt64(registers.fs.selector)
        case .gs: UInt64(registers.gs.selector)
        case .fsBase: registers.fs.base
        case .gsBase: registers.gs.base
        case .cr0: registers.cr0
        case .cr2: registers.cr2
        case .cr3: registers.cr3
        case .cr4: registers.cr4
        case .cr8: registers.cr8
        case .efer: registers.efer
        case .xcr0: registers.xcr0
        case .dr6: registers.dr6
        case .dr7: registers.dr7
        case .gdtr: registers.gdtr.base
        case .idtr: registers.idtr.base
        case .tr: UInt64(registers.tr.selector)
        case .ldtr: UInt64(registers.ldtr.selector)
        case .ghcb: registers.ghcb
        }
    }
}
