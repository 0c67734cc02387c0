/// Session events as JSON objects, one a line (DESIGN 4).
package enum JSONRenderer {
    /// What every record says of its own form.
    package static let schema = "sevdbg/1"

    /// One line, with its newline.
    package static func line(for event: SessionEvent) -> [UInt8] { line(value(for: event)) }

    static func line(_ value: JSONValue) -> [UInt8] {
        var output: [UInt8] = []
        value.write(to: &output)
        output.append(UInt8(ascii: "\n"))
        return output
    }

    /// The record of an event.
    package static func value(for event: SessionEvent) -> JSONValue {
        switch event {
        case .launch(let launch):
            record(launch.process == nil ? "launch" : "attach", members(launch))
        case .vmgexit(let sequence, let exchange):
            record("vmgexit", members(ExchangeRecord(sequence: sequence, exchange: exchange)))
        case .finding(let finding): record("finding", members(finding))
        case .stop(let stop): record("stop", members(stop))
        case .exit(let exit): record("exit", members(exit))
        case .console(let vcpu, let bytes):
            record(
                "console",
                [
                    .init("vcpu", .number(vcpu)),
                    .init("text", .string(String(decoding: bytes, as: UTF8.self))),
                ])
        case .result(let result): record("result", members(result))
        case .end(let end): record("end", members(end))
        }
    }

    static func record(_ type: String, _ members: [JSONValue.Member]) -> JSONValue {
        .object([.init("schema", .string(schema)), .init("type", .string(type))] + members)
    }

    private static func members(_ launch: Launch) -> [JSONValue.Member] {
        let fault = launch.hypervisorFault.map {
            [JSONValue.Member("hypervisorFault", .string($0))]
        }
        guard let ghcb = launch.ghcb, let version = launch.ghcbVersion, let entry = launch.entry
        else { return attachMembers(launch) }
        return [
            .init("machine", .string(launch.machine)),
            .init("ghcb", .string(ghcb)),
            .init("ghcbVersion", .number(version)),
            .init("vcpus", .number(launch.vcpus)),
            .init("guest", .string(launch.guest)),
            .init("entry", .hex(entry.rawValue)),
            .init("protectedState", .bool(launch.protectedState)),
        ] + (fault ?? []) + facts(launch.facts)
    }

    /// Nothing where there is nothing to say.
    private static func facts(_ facts: [MachineFact]) -> [JSONValue.Member] {
        guard !facts.isEmpty else { return [] }
        return [.init("facts", .object(facts.map { .init($0.name, .string($0.value)) }))]
    }

    private static func attachMembers(_ launch: Launch) -> [JSONValue.Member] {
        [
            .init("machine", .string(launch.machine)),
            .init("process", launch.process.map { .number(Int($0)) } ?? .null),
            .init("guest", .string(launch.guest)),
            .init("vcpus", .number(launch.vcpus)),
            .init("protectedState", .bool(launch.protectedState)),
        ]
    }

    private static func members(_ exit: PassedExit) -> [JSONValue.Member] {
        let head: [JSONValue.Member] = [
            .init("vcpu", .number(exit.vcpu)), .init("rip", .reading(exit.rip.map(\.rawValue))),
            .init("from", .origin(exit.rip)), .init("reason", .string(exit.kind.name)),
        ]
        switch exit.kind {
        case .port(let access):
            return head + [
                .init("port", .hex(UInt64(access.port))), .init("size", .number(access.size)),
                .init("count", .number(access.count)), .init("input", .bool(access.isInput)),
                .init("data", access.isInput ? .null : data(access.data)),
            ]
        case .memory(let access):
            return head + [
                .init("address", .hex(access.address.rawValue)),
                .init("length", .number(access.length)), .init("read", .bool(access.isRead)),
                .init("data", access.isRead ? .null : data(access.data)),
            ]
        case .readMSR(let number): return head + [.init("msr", .hex(UInt64(number)))]
        case .writeMSR(let number, let value):
            return head + [.init("msr", .hex(UInt64(number))), .init("value", .hex(value))]
        case .other: return head
        }
    }

    private static func data(_ bytes: [UInt8]) -> JSONValue {
        .string(bytes.map { $0.hexDigits(2) }.joined())
    }

    private static func members(_ stop: Stop) -> [JSONValue.Member] {
        let detail = stop.detail.map { [JSONValue.Member("detail", .string($0))] } ?? []
        return [
            .init("reason", .string(stop.reason.rawValue)),
            .init("vcpu", .number(stop.vcpu)),
            .init("rip", .reading(stop.rip.map(\.rawValue))),
            .init("symbol", .optional(stop.symbol)),
            .init("instruction", .optional(stop.instruction)),
            .init("registers", registers(stop.registers, Register.allCases)),
            .init("from", .origin(stop.registers)),
        ] + detail
    }

    static func members(_ finding: Finding) -> [JSONValue.Member] {
        let sequence = finding.sequence.map { [JSONValue.Member("seq", .number($0))] } ?? []
        return [
            .init("rule", .string(finding.rule.id)),
            .init("severity", .string(finding.severity.rawValue)),
            .init("vcpu", .number(finding.vcpu)),
            .init("rip", .reading(finding.rip.map(\.rawValue))),
        ] + sequence + [
            .init("message", .string(finding.message)),
            .init("spec", .string(finding.spec)),
        ]
    }

    private static func members(_ end: End) -> [JSONValue.Member] {
        var members = [JSONValue.Member("reason", .string(end.reason.rawValue))]
        if case .requested(let set, let code) = end.termination {
            members.append(.init("set", .number(Int(set))))
            members.append(.init("code", .number(Int(code))))
        }
        return members + [
            .instructions(end.instructions),
            .init("vmgexits", .number(end.vmgexits)),
            .init("findings", .number(end.findings)),
        ]
    }

    private static func members(_ result: CommandResult) -> [JSONValue.Member] {
        let head = JSONValue.Member("command", .string(result.command))
        switch result.outcome {
        case .success(let answer): return [head, .init("ok", .bool(true))] + answer.json
        case .failure(let failure):
            return [head, .init("ok", .bool(false)), .init("error", .string(failure.message))]
        }
    }

    /// Registers by name in the order of `names`; null where they are hidden.
    static func registers(_ reading: Reading<RegisterFile>, _ names: [Register]) -> JSONValue {
        guard let file = reading.value else { return .null }
        return .object(names.map { .init($0.name, .hex(file[$0])) })
    }
}

// A VMGEXIT, which is a record of its own and part of others.
extension JSONRenderer {
    static func members(_ record: ExchangeRecord) -> [JSONValue.Member] {
        let exchange = record.exchange
        return [
            .init("seq", .number(record.sequence)),
            .init("vcpu", .number(exchange.vcpu)),
            .init("rip", .reading(exchange.rip.map(\.rawValue))),
            .init("protocol", .string(exchange.protocolName)),
            .init("code", .string(exchange.codeText)),
            .init("name", .string(exchange.name)),
            .init("info1", .hex(exchange.info1)),
            .init("info2", .hex(exchange.info2)),
            .init("ghcb", exchange.ghcb.map { .hex($0.rawValue) } ?? .null),
            .init("request", request(exchange)),
            .init("response", response(exchange)),
            .init("outcome", .string(exchange.outcome.name)),
            .init("reason", .optional(exchange.reason)),
        ]
    }

    /// The fields of the page; the one word that there is in the MSR protocol.
    static func request(_ exchange: Exchange) -> JSONValue {
        guard case .page = exchange.content else {
            return word(exchange.msr, exchange.requestSource)
        }
        return fields(exchange.requestFields)
    }

    static func response(_ exchange: Exchange) -> JSONValue {
        guard case .msr(let response) = exchange.content else {
            return fields(exchange.responseFields)
        }
        return response.map { word($0, exchange.responseSource) } ?? .object([])
    }

    private static func word(_ msr: UInt64, _ source: Provenance) -> JSONValue {
        .object([.init("msr", field(.known(msr, from: source)))])
    }

    private static func fields(
        _ fields: [(field: GHCBField, reading: Reading<UInt64>)]
    ) -> JSONValue {
        .object(fields.map { .init($0.field.name, field($0.reading)) })
    }

    private static func field(_ reading: Reading<UInt64>) -> JSONValue {
        .object([
            .init("value", .reading(reading)),
            .init("valid", .bool(reading.value != nil)),
            .init("from", .origin(reading)),
        ])
    }
}

extension JSONValue.Member {
    /// All instructions; under another name where the machine counts only those it steps.
    static func instructions(_ count: InstructionCount) -> JSONValue.Member {
        .init(count.isComplete ? "instructions" : "stepped", .number(count.value))
    }
}

extension JSONValue {
    /// The value in hexadecimal; null, never a zero, where it is hidden.
    static func reading(_ reading: Reading<UInt64>) -> JSONValue {
        reading.value.map { .hex($0) } ?? .null
    }

    /// Where a value came from, or why there is none.
    static func origin<Value>(_ reading: Reading<Value>) -> JSONValue {
        switch reading {
        case .known(_, let source): .string(source.rawValue)
        case .hidden(let reason): .string(reason.rawValue)
        }
    }
}
