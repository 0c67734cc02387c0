/// One thing that a host has or lacks.
package struct DoctorCheck: Sendable, Equatable {
    package enum State: String, Sendable {
        case ok, missing
    }

    /// In the JSON record: `kvm-device`.
    package var id: String
    package var title: String
    package var state: State
    /// What was found.
    package var finding: String
    /// What sevdbg needs it for.
    package var need: String
    /// The command that mends it, or why none does; `nil` where nothing is missing.
    package var remedy: String?

    init(_ id: String, _ title: String, ok finding: String, for need: String) {
        (self.id, self.title, self.finding, self.need) = (id, title, finding, need)
        state = .ok
    }

    init(_ id: String, _ title: String, missing finding: String, for need: String, mend: String) {
        (self.id, self.title, self.finding, self.need) = (id, title, finding, need)
        (state, remedy) = (.missing, mend)
    }
}

/// What a host can do, and what it lacks.
package struct DoctorReport: Sendable, Equatable {
    /// A machine of `--machine`, and why it is not to be had.
    package struct MachineVerdict: Sendable, Equatable {
        package var name: String
        /// `nil` where it is to be had.
        package var obstacle: String?
    }

    package var checks: [DoctorCheck]
    package var machines: [MachineVerdict]
    package var choice: MachineSelection

    /// As the terminal shows it.
    package var text: String {
        (checks.flatMap(Self.lines) + [""] + machines.map(Self.line)
            + ["--machine auto picks \(choice.name): \(choice.reason)"])
            .map { EscapedText.line($0) + "\n" }.joined()
    }

    private static func lines(_ check: DoctorCheck) -> [String] {
        let head = check.state.rawValue.padded(to: 9) + check.title.padded(to: 18) + check.finding
        guard let remedy = check.remedy else { return [head] }
        let indent = String(repeating: " ", count: 9)
        return [
            head, indent + "for: ".padded(to: 18) + check.need,
            indent + "to mend it: ".padded(to: 18) + remedy,
        ]
    }

    private static func line(_ verdict: MachineVerdict) -> String {
        "--machine \(verdict.name.padded(to: 9)) "
            + (verdict.obstacle.map { "not to be had: " + $0 } ?? "to be had")
    }

    /// The record of `sevdbg doctor --json`.
    package var json: JSONValue {
        .object([
            .init("schema", .string(JSONRenderer.schema)), .init("type", .string("doctor")),
            .init("checks", .array(checks.map(Self.value))),
            .init(
                "machines",
                .object(machines.map { .init($0.name, .bool($0.obstacle == nil)) })),
            .init("auto", .string(choice.name)), .init("reason", .string(choice.reason)),
        ])
    }

    private static func value(_ check: DoctorCheck) -> JSONValue {
        .object([
            .init("id", .string(check.id)), .init("state", .string(check.state.rawValue)),
            .init("finding", .string(check.finding)), .init("need", .string(check.need)),
            .init("remedy", .optional(check.remedy)),
        ])
    }
}

/// The machine of `--machine auto`.
package struct MachineSelection: Sendable, Equatable {
    package var name: String
    package var reason: String
    /// Whether the host has what looks like SEV-ES, so that another choice is worth a word.
    package var isRemarkable: Bool
}
