// What a command returned, as members of a `result` record.

extension CommandAnswer {
    /// The members besides `command` and `ok`.
    var json: [JSONValue.Member] {
        switch self {
        case .done: []
        case .text(let lines): [.init("lines", .array(lines.map(JSONValue.string)))]
        case .registers(let listing): listing.json
        case .breakpoint(let breakpoint): breakpoint.json
        case .breakpoints(let all): [.init("breakpoints", .array(all.map { .object($0.json) }))]
        case .memory(let listing): listing.json
        case .code(let listing): listing.json
        case .value(let value): value.json
        case .vcpu(let listing): listing.json
        case .vcpus(let all): [.init("vcpus", .array(all.map { .object($0.json) }))]
        case .exits(let records):
            [.init("exits", .array(records.map { .object(JSONRenderer.members($0)) }))]
        case .findings(let all):
            [.init("findings", .array(all.map { .object(JSONRenderer.members($0)) }))]
        case .ghcb(let listing): listing.json
        case .msr(let all): [.init("msrs", .array(all.map { .object($0.json) }))]
        case .pages(let ranges): [.init("ranges", .array(ranges.map { .object($0.json) }))]
        case .setup(let listing): listing.json
        case .comparison(let comparison): comparison.json
        case .relaunched(let relaunch):
            relaunch.lost.isEmpty
                ? []
                : [.init("lost", .array(relaunch.lost.map { .object($0.json) }))]
        }
    }
}

extension RegisterListing {
    fileprivate var json: [JSONValue.Member] {
        var members: [JSONValue.Member] = [.init("vcpu", .number(vcpu))]
        if !names.isEmpty {
            members.append(.init("registers", JSONRenderer.registers(general, names)))
            members.append(.init("from", .origin(general)))
        }
        guard !systemNames.isEmpty else { return members }
        let values = system.value.map { system in
            JSONValue.object(systemNames.map { .init($0.rawValue, .hex($0.value(in: system))) })
        }
        members.append(.init("system", values ?? .null))
        return names.isEmpty ? members + [.init("from", .origin(system))] : members
    }
}

extension Breakpoint {
    fileprivate var json: [JSONValue.Member] {
        [
            .init("number", .number(number)),
            .init("kind", .string(kind)),
            .init("address", (address ?? watchpoint?.address).map { .hex($0.rawValue) } ?? .null),
            .init("length", watchpoint.map { .number($0.count) } ?? .null),
            .init("symbol", .optional(symbol)),
            .init("filter", .optional(filter?.text)),
            .init("condition", .optional(condition?.text)),
            .init("enabled", .bool(isEnabled)),
            .init("hits", .number(hits)),
        ]
    }
}

extension MemoryListing {
    fileprivate var json: [JSONValue.Member] {
        let hidden = items.first { $0.bytes.value == nil }
        return [
            .init("address", items.first.map { .hex($0.address.rawValue) } ?? .null),
            .init("unit", .number(unit.rawValue)),
            .init("values", .array(items.map(value))),
            .init("from", (hidden ?? items.first).map { .origin($0.bytes) } ?? .null),
        ]
    }

    private func value(_ item: Item) -> JSONValue {
        guard let bytes = item.bytes.value else { return .null }
        guard letter == .string else { return .hex(UInt64(littleEndian: bytes)) }
        return .string(String(decoding: bytes, as: UTF8.self))
    }
}

extension CodeListing {
    fileprivate var json: [JSONValue.Member] {
        let start = lines.first.map { JSONValue.hex($0.address.rawValue) } ?? .null
        let reason = hidden.map { [JSONValue.Member("hidden", .string($0.rawValue))] } ?? []
        return [
            .init("address", start), .init("function", .optional(function)),
            .init("instructions", .array(lines.map(value))),
        ] + reason
    }

    private func value(_ line: Snapshot.Line) -> JSONValue {
        let bytes = line.bytes.map { $0.hexDigits(2) }.joined()
        return .object([
            .init("address", .hex(line.address.rawValue)),
            .init("symbol", .optional(line.symbol)),
            .init("bytes", .string(bytes)),
            .init("instruction", .string(line.text)),
            .init("breakpoint", .bool(line.hasBreakpoint)),
            .init("current", .bool(line.address == rip)),
        ])
    }
}

extension PrintedValue {
    fileprivate var json: [JSONValue.Member] {
        [
            .init("number", .number(number)), .init("value", .hex(value.bits)),
            .init("text", .string(text)),
        ]
    }
}

extension VCPUListing {
    fileprivate var json: [JSONValue.Member] {
        [
            .init("vcpu", .number(vcpu.number)),
            .init("state", .string(vcpu.state.rawValue)),
            .init("rip", .reading(vcpu.rip.map(\.rawValue))),
            .init("symbol", .optional(vcpu.symbol)),
            .init("from", .origin(vcpu.rip)),
            .instructions(vcpu.instructions),
            .init("current", .bool(isCurrent)),
        ]
    }
}

extension GHCBListing {
    fileprivate var json: [JSONValue.Member] {
        let lastMembers = last.map { JSONValue.object(JSONRenderer.members($0)) }
        return [
            .init("vcpu", .number(vcpu)),
            .init("msr", .reading(msr)),
            .init("from", .origin(msr)),
            .init("page", page.value.map(JSONRenderer.request) ?? .null),
            .init("last", lastMembers ?? .null),
            .init("steps", .array(stepsJSON)),
        ]
    }
}

extension GHCBListing {
    /// The number of each step, what it was, and the fields that it wrote.
    private var stepsJSON: [JSONValue] {
        steps.indices.map { index in
            let step = steps[index]
            let changes = index == 0 ? [] : step.changes(since: steps[index - 1])
            return .object([
                .init("step", .number(step.number)), .init("what", .string(step.text)),
                .init(
                    "writes",
                    .object(changes.map { .init($0.name, .hex(step.page.raw($0))) })),
            ])
        }
    }
}

extension MSRListing {
    fileprivate var json: [JSONValue.Member] {
        [
            .init("vcpu", .number(vcpu)), .init("value", .reading(value)),
            .init("meaning", .optional(meaning)), .init("from", .origin(value)),
        ]
    }
}

extension PageRange {
    fileprivate var json: [JSONValue.Member] {
        [
            .init("start", .hex(start.rawValue)), .init("end", .hex(end.rawValue)),
            .init("private", isPrivate.value.map(JSONValue.bool) ?? .null),
            .init("from", .origin(isPrivate)),
        ]
    }
}

extension SetupListing {
    fileprivate var json: [JSONValue.Member] {
        [
            .init("machine", .string(machine.name)),
            .init("ghcb", .string(options.setup.rawValue)),
            .init("ghcbVersion", .number(options.ghcbVersion)),
            .init("hypervisor", .string(options.hypervisor.rawValue)),
            .init("strict", .bool(isStrict)),
            .init("vcpus", .number(options.vcpus)),
            .init("schedule", .string(machine.schedule.rawValue)),
            .init("memory", .number(options.memory)),
            .init("guest", .string(guest)),
            .init("entry", .hex(entry.rawValue)),
            .init("cBit", .number(cBit)),
            .init("protectedState", .bool(!machine.seesProtectedState)),
            .init("debugging", .string(machine.debugging.name)),
            .init("limits", .array(machine.debugging.limits.map(JSONValue.string))),
        ] + facts + differences
    }

    /// Only of a launch that there is more to say of.
    private var facts: [JSONValue.Member] {
        guard !machine.facts.isEmpty else { return [] }
        return [.init("facts", .object(machine.facts.map { .init($0.name, .string($0.value)) }))]
    }

    /// Only where the machine names any: that there is none is never said.
    private var differences: [JSONValue.Member] {
        guard !machine.differences.isEmpty else { return [] }
        return [.init("differences", .array(machine.differences.map(JSONValue.string)))]
    }
}
