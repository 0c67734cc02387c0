// `compare` as the members of a `result` record.

extension SetupComparison {
    var json: [JSONValue.Member] {
        return [
            .init("guest", .string(guest)), .init("vcpus", .number(vcpus)),
            .init("setups", .array([left.json, right.json])),
            .init("identical", isIdentical.map(JSONValue.bool) ?? .null),
            .init("diff", .array(traces.flatMap(\.json))),
            .init("notCompared", .array(traces.flatMap(\.restJSON))),
        ]
    }
}

extension SetupComparison {
    /// `nil` where one did not run, or could go on to differ.
    private var isIdentical: Bool? {
        guard left.value != nil, right.value != nil else { return nil }
        guard traces.allSatisfy(\.isSame) else { return false }
        return traces.contains(where: \.isPart) ? nil : true
    }
}

extension SetupComparison.Column {
    fileprivate var json: JSONValue {
        let head = JSONValue.Member("setup", .string(setup.rawValue))
        switch run {
        case .failure(let failure):
            return .object([
                head, .init("ok", .bool(false)), .init("error", .string(failure.message)),
            ])
        case .success(let run): return .object([head, .init("ok", .bool(true))] + run.json)
        }
    }
}

extension SetupRun {
    fileprivate var json: [JSONValue.Member] {
        [
            .init("instructionsToEntry", .number(instructionsToEntry.value.flatMap { $0 })),
            .init("msrWritesBeforeEntry", .number(msrWritesBeforeEntry.value.map(UInt64.init))),
            .init("msrWrites", .number(msrWrites.value.map(UInt64.init))),
            .init("argumentsLost", argumentsJSON),
            .init("from", .origin(msrWrites)),
            .init("ghcbPages", .number(pages.ghcbs.count / 4096)),
            .init("ghcbBytes", .number(pages.ghcbs.count)),
            .init("poolPages", .number(pages.pool.count / 4096)),
            .init("poolBytes", .number(pages.pool.count)),
            .init("instructions", .number(instructions.value)),
            .init("vmgexits", .number(vmgexits)),
            .init("findings", .array(breaches.map(\.json))),
            .init("end", .object(ending.json)),
        ]
    }

    private var argumentsJSON: JSONValue {
        lostArguments.value.flatMap { $0 }
            .map { .array($0.map { .string($0.name) }) } ?? .null
    }
}

extension SetupRun.Breach {
    fileprivate var json: JSONValue {
        .object([
            .init("rule", .string(rule.id)), .init("severity", .string(severity.rawValue)),
            .init("count", .number(count)),
        ])
    }
}

extension SetupRun.Ending {
    fileprivate var json: [JSONValue.Member] {
        func reason(_ word: String) -> [JSONValue.Member] { [.init("reason", .string(word))] }
        switch self {
        case .guest(let end, let termination, let detail):
            var members = reason(end.rawValue)
            if case .requested(let set, let code) = termination {
                members.append(.init("set", .number(Int(set))))
                members.append(.init("code", .number(Int(code))))
            }
            return members + (detail.map { [.init("detail", .string($0))] } ?? [])
        case .instructionLimit(let limit):
            return reason("instructionLimit") + [.init("limit", .number(limit))]
        case .exitLimit(let limit):
            return reason("vmgexitLimit") + [.init("limit", .number(limit))]
        case .interrupted: return reason("interrupted")
        case .failed(let text): return reason("failed") + [.init("detail", .string(text))]
        }
    }
}

// MARK: - VMGEXITs

extension TraceComparison {
    /// One object for each difference, and one for each run of exchanges that are the same.
    fileprivate var json: [JSONValue] {
        var (values, run) = ([JSONValue](), [Entry]())
        for entry in entries {
            if entry.isSame {
                run.append(entry)
                continue
            }
            values += same(run) + [json(entry)]
            run = []
        }
        return values + same(run)
    }

    private func same(_ run: [Entry]) -> [JSONValue] {
        guard case .same(let left, let right)? = run.first else { return [] }
        return [object("same", left, right, [.init("count", .number(run.count))])]
    }

    private func json(_ entry: Entry) -> JSONValue {
        switch entry {
        case .same(let left, let right): return object("same", left, right, [])
        case .changed(let left, let right, let fields):
            return object("changed", left, right, [.init("fields", .array(fields.map(\.json)))])
        case .removed(let left): return object("removed", left, nil, [])
        case .added(let right): return object("added", nil, right, [])
        case .omitted(let left, let right):
            return .object([
                .init("op", .string("omitted")), .init("vcpu", .number(vcpu)),
                .init("left", .number(left)), .init("right", .number(right)),
            ])
        }
    }

    private func object(
        _ name: String, _ left: ComparedExchange?, _ right: ComparedExchange?,
        _ more: [JSONValue.Member]
    ) -> JSONValue {
        .object(
            [
                .init("op", .string(name)), .init("vcpu", .number(vcpu)),
                .init("left", left?.json ?? .null), .init("right", right?.json ?? .null),
            ] + more)
    }

    fileprivate var restJSON: [JSONValue] {
        guard left + right > 0 else { return [] }
        return [
            .object([
                .init("vcpu", .number(vcpu)), .init("left", .number(left)),
                .init("right", .number(right)),
            ])
        ]
    }
}

extension ComparedExchange {
    fileprivate var json: JSONValue {
        .object([
            .init("seq", .number(sequence)), .init("rip", .reading(rip.map(\.rawValue))),
            .init("protocol", .string(protocolName)), .init("code", .string(code)),
            .init("name", .string(name)), .init("summary", .string(summary)),
        ])
    }
}

extension FieldDifference {
    fileprivate var json: JSONValue {
        .object([
            .init("name", .string(name)), .init("left", .optional(left?.text)),
            .init("right", .optional(right?.text)),
        ])
    }
}

extension JSONValue {
    /// The number, or null where there is none.
    fileprivate static func number(_ value: UInt64?) -> JSONValue {
        if let value { .number(value) } else { .null }
    }
}
