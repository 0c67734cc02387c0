// The records of an observation (DESIGN 4): `vmgexit` and `finding` are those of a session.

extension JSONRenderer {
    /// One line, with its newline.
    package static func line(for event: ObserveEvent) -> [UInt8] { line(value(for: event)) }

    /// The record of an event.
    package static func value(for event: ObserveEvent) -> JSONValue {
        switch event {
        case .vmgexit(let sequence, let exchange):
            value(for: SessionEvent.vmgexit(sequence: sequence, exchange))
        case .finding(let finding): value(for: SessionEvent.finding(finding))
        case .started(let start): record("observe", start.members)
        case .vms(let vms): record("vms", [.init("vms", .array(vms.map(\.json)))])
        case .activity(let seconds, let sampled, let vcpus):
            record(
                "exits",
                [
                    .seconds(seconds), .init("sampledPercent", .number(UInt64(100 * sampled))),
                    .init("vcpus", .array(vcpus.map(\.json))),
                ])
        case .samples(let seconds, let vcpus):
            record("samples", [.seconds(seconds), .init("vcpus", .array(vcpus.map(\.json)))])
        case .ended(let end): record("end", end.members)
        }
    }
}

extension JSONValue.Member {
    /// Whole milliseconds, for JSON's numbers here are integers.
    fileprivate static func seconds(_ seconds: Double) -> Self {
        .init("milliseconds", .number(UInt64(max(seconds * 1000, 0))))
    }
}

extension ObserveStart {
    fileprivate var members: [JSONValue.Member] {
        [
            .init("process", .number(Int(process))), .init("name", .string(name)),
            .init("by", .string(limit == nil ? "bpf" : "kvm_run")),
            .init("limit", .optional(limit)), .init("vms", .array(vms.map(\.json))),
        ]
    }
}

extension ObserveEnd {
    fileprivate var members: [JSONValue.Member] {
        [
            .init("reason", .string(reason.rawValue)), .init("vmgexits", .number(vmgexits)),
            .init("lost", .number(lost)), .init("findings", .number(findings)),
        ]
    }
}

extension ObservedVM {
    /// Slots are null where only root may see them.
    package var json: JSONValue {
        .object([
            .init("descriptor", descriptor.map(JSONValue.number) ?? .null),
            .init("sevES", sev.map { .bool($0.isES) } ?? .null),
            .init("asid", sev.map { .number(Int($0.asid)) } ?? .null),
            .init("ghcbVersion", sev?.ghcbVersion.map(JSONValue.number) ?? .null),
            .init("slots", slots.value.map { .array($0.map(\.json)) } ?? .null),
            .init("hasMoreSlots", .bool(hasMoreSlots)),
            .init("vcpus", .array(vcpus.map(\.json))),
        ])
    }
}

extension MemorySlot {
    fileprivate var json: JSONValue {
        .object([
            .init("id", .number(id)), .init("addressSpace", .number(addressSpace)),
            .init("gpa", .hex(start.rawValue)), .init("size", .hex(size)),
            .init("hva", .hex(hostAddress)),
            .init("flags", .array(flags.names.map(JSONValue.string))),
        ])
    }
}

extension ObservedVM.VCPU {
    fileprivate var json: JSONValue {
        .object([
            .init("id", .number(id)), .init("descriptor", .number(descriptor)),
            .init("thread", thread.value.map { .number(Int($0)) } ?? .null),
            .init("exits", exits.value.map { .number($0) } ?? .null),
            .init("lastExit", .string(lastExit.name)), .init("vmcb", vmcb?.json ?? .null),
        ])
    }
}

extension ObservedVM.VMCB {
    fileprivate var json: JSONValue {
        .object([
            .init("exitCode", .hex(exitCode.rawValue)), .init("name", .optional(exitCode.name)),
            .init("info1", .hex(exitInfo1)), .init("info2", .hex(exitInfo2)),
            .init("rip", .reading(rip.map(\.rawValue))),
            .init("cr3", .reading(cr3)),
            .init("asid", .number(Int(asid))), .init("ghcb", .hex(ghcb)),
        ])
    }
}

extension ObservedActivity {
    fileprivate var json: JSONValue {
        .object([
            .init("vcpu", vcpu.map(JSONValue.number) ?? .null),
            .init("thread", .number(Int(activity.thread))),
            .init("hardware", .array(activity.hardware.map(\.json))),
            .init("userspace", .array(activity.userspace.map(\.json))),
            .init("places", .array(activity.places.map(\.json))),
            .init("otherPlaces", .number(activity.otherPlaces)),
            .init("failed", .number(activity.failed)), .init("lost", .number(Int(activity.lost))),
        ])
    }
}

extension VCPUActivity.Exits {
    fileprivate var json: JSONValue {
        .object([
            .init("reason", .string(reason.name)), .init("number", .string(reason.number)),
            .init("count", .number(count)), .init("timed", .number(timed)),
            .init("meanNanoseconds", meanNanoseconds.map { .number($0) } ?? .null),
            .init("longestNanoseconds", timed == 0 ? .null : .number(longest)),
        ])
    }
}

extension VCPUActivity.Place {
    fileprivate var json: JSONValue {
        .object([
            .init("kind", .string(kind.name)), .init("address", .hex(address)),
            .init("access", .string(isWrite ? "write" : "read")), .init("count", .number(count)),
        ])
    }
}

extension ObservedSamples {
    fileprivate var json: JSONValue {
        .object([
            .init("vcpu", .number(vcpu)),
            .init(
                "reasons",
                .array(
                    reasons.map {
                        .object([
                            .init("reason", .string($0.reason.name)),
                            .init("count", .number($0.count)),
                        ])
                    })),
        ])
    }
}
