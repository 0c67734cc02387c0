// What a command returned, as lines of text: batch output and the terminal's messages.

extension CommandAnswer {
    /// Lines that may hold names from the guest: escape them before a terminal sees them.
    package var lines: [String] {
        switch self {
        case .done: []
        case .text(let lines): lines
        case .registers(let listing): listing.lines
        case .breakpoint(let breakpoint): [breakpoint.confirmation]
        case .breakpoints(let all): Breakpoint.lines(all)
        case .memory(let listing): listing.lines
        case .code(let listing): listing.linesOfText
        case .value(let value): ["$\(value.number) = \(value.text)"]
        case .vcpu(let listing): [listing.line]
        case .vcpus(let all): all.map(\.line)
        case .exits(let records): records.isEmpty ? ["No VMGEXITs."] : records.map(\.line)
        case .findings(let all): all.isEmpty ? ["No findings."] : all.map(\.line)
        case .ghcb(let listing): listing.lines
        case .msr(let all): all.map(\.line)
        case .pages(let ranges): ranges.map(\.line)
        case .setup(let listing): listing.lines
        case .comparison(let comparison): comparison.lines
        case .relaunched(let relaunch): relaunch.warnings
        }
    }
}

extension Hidden {
    /// What stands in the place of a value.
    package var mark: String { "<\(rawValue)>" }
}

extension RegisterListing {
    /// gdb's columns: name, value in hexadecimal, value as the register is used.
    var lines: [String] {
        names.map { name in line(name.name, general.map { $0[name] }, naturalText(name)) }
            + systemNames.map { line($0.rawValue, system.map($0.value), $0.naturalText) }
    }

    private func line(
        _ name: String, _ reading: Reading<UInt64>, _ natural: (UInt64) -> String
    ) -> String {
        let head = name.padded(to: 15)
        switch reading {
        case .known(let value, _):
            let text = natural(value)
            return head + (text.isEmpty ? value.hex : value.hex.padded(to: 19) + text)
        case .hidden(let reason): return head + reason.mark
        }
    }

    /// The third column: the value as the register is used.
    private func naturalText(_ register: Register) -> (UInt64) -> String {
        switch register {
        case .rip: { $0.hex + (symbol.map { " <\($0)>" } ?? "") }
        case .rsp, .rbp: { $0.hex }
        case .rflags: Self.flags
        default: { String(Int64(bitPattern: $0)) }
        }
    }

    /// RFLAGS by the names of its set bits, as gdb shows them.
    package static func flags(_ value: UInt64) -> String { FlagNames.rflags.text(value) }
}

extension SystemRegisterName {
    /// Flags by their names, selectors in decimal; nothing for addresses.
    fileprivate var naturalText: (UInt64) -> String {
        switch self {
        case .cs, .ss, .ds, .es, .fs, .gs, .tr, .ldtr: { String($0) }
        case .cr0: FlagNames.cr0.text
        case .cr4: FlagNames.cr4.text
        case .efer: FlagNames.efer.text
        case .ghcb: { GHCBMSR(rawValue: $0).summary }
        default: { _ in "" }
        }
    }
}

/// The bits of a register that have names, by their positions; APM volume 2, section 3.1.
private struct FlagNames {
    let names: [(bit: UInt64, name: String)]

    func text(_ value: UInt64) -> String {
        let set = names.filter { value >> $0.bit & 1 == 1 }
        return "[ " + set.map { $0.name + " " }.joined() + "]"
    }

    static let rflags = FlagNames(names: [
        (0, "CF"), (2, "PF"), (4, "AF"), (6, "ZF"), (7, "SF"), (8, "TF"), (9, "IF"), (10, "DF"),
        (11, "OF"), (14, "NT"), (16, "RF"), (17, "VM"), (18, "AC"), (21, "ID"),
    ])
    static let cr0 = FlagNames(names: [
        (0, "PE"), (1, "MP"), (2, "EM"), (3, "TS"), (4, "ET"), (5, "NE"), (16, "WP"), (18, "AM"),
        (29, "NW"), (30, "CD"), (31, "PG"),
    ])
    static let cr4 = FlagNames(names: [
        (0, "VME"), (1, "PVI"), (2, "TSD"), (3, "DE"), (4, "PSE"), (5, "PAE"), (6, "MCE"),
        (7, "PGE"), (8, "PCE"), (9, "OSFXSR"), (10, "OSXMMEXCPT"), (11, "UMIP"), (12, "LA57"),
        (16, "FSGSBASE"), (17, "PCIDE"), (18, "OSXSAVE"), (20, "SMEP"), (21, "SMAP"), (22, "PKE"),
    ])
    static let efer = FlagNames(names: [
        (0, "SCE"), (8, "LME"), (10, "LMA"), (11, "NXE"), (12, "SVME"), (14, "FFXSR"),
    ])
}

extension Breakpoint.Place {
    var text: String {
        switch self {
        case .address(let address, _): address.rawValue.hex
        case .memory(let watchpoint):
            "\(watchpoint.address.rawValue.hex), \(watchpoint.count) byte"
                + (watchpoint.count == 1 ? "" : "s")
        case .exchange(let filter): "vmgexit" + (filter.text.isEmpty ? "" : " " + filter.text)
        }
    }
}

extension Breakpoint {
    /// What `break` answers.
    var confirmation: String {
        (watchpoint == nil ? "Breakpoint" : "Watchpoint") + " \(number) at \(place.text)"
            + (symbol.map { " <\($0)>" } ?? "")
    }

    /// The word for what it stops at.
    var kind: String {
        switch place {
        case .address: "breakpoint"
        case .memory: "watchpoint"
        case .exchange: "vmgexit"
        }
    }

    static func lines(_ all: [Breakpoint]) -> [String] {
        guard !all.isEmpty else { return ["No breakpoints."] }
        return ["Num     Type       Enb Hits  Where"] + all.flatMap(\.lines)
    }

    private var lines: [String] {
        let columns = [
            String(number).padded(to: 7), kind.padded(to: 10),
            (isEnabled ? "y" : "n").padded(to: 3),
            String(hits).padded(to: 5),
            filter.map { $0.text.isEmpty ? "any" : $0.text } ?? place.text,
        ]
        let line = columns.joined(separator: " ") + (symbol.map { " <\($0)>" } ?? "")
        return [line] + (condition.map { ["        stop only if \($0.text)"] } ?? [])
    }
}

extension CodeListing {
    /// As gdb's `disassemble` for a whole function, and as `x/i` otherwise.
    var linesOfText: [String] {
        let body = lines.map { line in
            let mark = line.address == rip ? "=> " : "   "
            return mark + line.address.rawValue.hex + label(line) + ":\t" + line.text
        }
        let tail = hidden.map { ["   " + $0.mark] } ?? []
        guard let function else { return body + tail }
        return ["Dump of assembler code for function \(function):"] + body + tail
            + ["End of assembler dump."]
    }

    private func label(_ line: Snapshot.Line) -> String {
        guard function != nil, let start = lines.first?.address else {
            return line.symbol.map { " <\($0)>" } ?? ""
        }
        return " <+\(line.address.rawValue &- start.rawValue)>"
    }
}

extension VCPUListing {
    var line: String {
        let place: String =
            switch vcpu.rip {
            case .known(let rip, _): rip.rawValue.hex + (vcpu.symbol.map { " <\($0)>" } ?? "")
            case .hidden(let reason): reason.mark
            }
        return (isCurrent ? "* " : "  ") + "vCPU \(vcpu.number)".padded(to: 9)
            + vcpu.state.rawValue.padded(to: 9) + place + "  " + vcpu.instructions.text
    }
}

extension ExchangeRecord {
    /// Number, vCPU, place and what was asked.
    package var line: String {
        "#\(sequence)".padded(to: 6) + "vCPU \(exchange.vcpu)  " + exchange.rip.text
            + "  " + exchange.summary
    }
}

extension MSRListing {
    var line: String {
        let head = "vCPU \(vcpu)  MSR_AMD64_SEV_ES_GHCB (0xc0010130)  "
        switch value {
        case .known(let value, _): return head + value.hex + (meaning.map { "  " + $0 } ?? "")
        case .hidden(let reason): return head + reason.mark
        }
    }
}

extension PageRange {
    var line: String {
        let kind: String =
            switch isPrivate {
            case .known(let isPrivate, _): isPrivate ? "private" : "shared"
            case .hidden(let reason): reason.mark
            }
        return "0x" + start.rawValue.hexDigits(9) + "-0x" + (end.rawValue &- 1).hexDigits(9) + "  "
            + ("\((end.rawValue &- start.rawValue) / 1024) KiB").paddedLeft(to: 12) + "  " + kind
    }
}

extension SetupListing {
    var lines: [String] {
        let judge = isStrict ? .specification : options.hypervisor
        let sees = machine.seesProtectedState ? "everything" : "what SEV-ES does not protect"
        let vcpus = options.vcpus > 1 ? "\(options.vcpus), \(machine.schedule.text)" : "1"
        let rows = [
            ("guest", "\(guest), entry \(entry.rawValue.hex)"), ("machine", machine.name),
            ("GHCB setup", "\(options.setup.rawValue), protocol version \(options.ghcbVersion)"),
            ("hypervisor", "answers as \(options.hypervisor.title)"),
            ("lint rules", "by \(judge.title)"),
            ("vCPUs", vcpus),
            ("memory", "\(options.memory / 1024) KiB for the guest, C-bit \(cBit)"),
            ("host sees", sees), ("debugged", machine.debugging.text),
        ]
        let limits = machine.debugging.limits.map { ("", $0) }
        let facts = machine.facts.map { ($0.name, $0.value) }
        let differences = machine.differences.map { ("differs", $0) }
        return (rows + limits + facts + differences).map { $0.0.padded(to: 12) + $0.1 }
    }
}
