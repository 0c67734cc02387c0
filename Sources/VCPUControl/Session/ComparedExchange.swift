/// A VMGEXIT as it is compared with that of another setup: what it asks and gets, not where.
///
/// Addresses in GHCBs and stacks, which lie elsewhere under each setup, are distances there.
package struct ComparedExchange: Sendable, Equatable {
    /// What a field holds.
    package enum Content: Sendable, Hashable {
        case number(UInt64)
        case bytes([UInt8])
        case word(String)
    }

    /// Where an address lies whose place differs from setup to setup.
    package enum Place: Sendable, Hashable {
        /// In the vCPUs' GHCBs, from the start of its page.
        case ghcb(offset: UInt64)
        /// In a vCPU's stack, from RSP at its entry; `nil` where that is not known.
        case stack(vcpu: Int, offset: Int64?)
    }

    /// A value that two setups can agree on: by what it is or, as an address, by where it lies.
    package struct Value: Sendable, Equatable {
        package var content: Content
        /// Where it would lie as an address; a number can be there by chance.
        package var place: Place?

        func agrees(with other: Value) -> Bool {
            content == other.content || place != nil && place == other.place
        }
    }

    package struct Field: Sendable, Equatable {
        package var name: String
        package var value: Value
    }

    /// From 1, counted over all vCPUs of the run.
    package var sequence: Int
    package var rip: Reading<GuestVirtualAddress>
    package var code: String
    package var name: String
    /// The request, and what came back, in one line.
    package var summary: String
    /// `page` or `msr`.
    package var protocolName: String
    package var request: [Field]
    package var answer: [Field]

    /// What makes two exchanges partners, unless a number lies in a stack by chance.
    struct Key: Hashable {
        let kind: Kind
        let names: [String]
        let contents: [Content?]
        let places: [Place?]
    }

    /// What makes two exchanges comparable field by field.
    struct Kind: Hashable {
        let protocolName: String
        let code: String
    }

    var kind: Kind { Kind(protocolName: protocolName, code: code) }
    var key: Key {
        Key(
            kind: kind, names: request.map(\.name),
            contents: request.map { $0.value.place == nil ? $0.value.content : nil },
            places: request.map(\.value.place))
    }

    /// The fields that differ, those of the answer behind those of the request.
    ///
    /// None for two exchanges of one kind: they are the same.
    package func differences(from other: ComparedExchange) -> [FieldDifference] {
        Self.differences(request, other.request)
            + Self.differences(answer, other.answer).map { field in
                var field = field
                field.name = "answer " + field.name
                return field
            }
    }

    private static func differences(_ left: [Field], _ right: [Field]) -> [FieldDifference] {
        let names =
            left.map(\.name)
            + right.map(\.name).filter { name in
                !left.contains { $0.name == name }
            }
        return names.compactMap { name in
            let (first, second) = (left[name], right[name])
            if let first, let second, first.agrees(with: second) { return nil }
            return FieldDifference(name, first, second)
        }
    }
}

extension [ComparedExchange.Field] {
    fileprivate subscript(name: String) -> ComparedExchange.Value? {
        first { $0.name == name }?.value
    }
}

/// A field that two exchanges do not agree on; `nil`: not valid there.
package struct FieldDifference: Sendable, Equatable {
    package var name: String
    package var left: ComparedExchange.Value?
    package var right: ComparedExchange.Value?

    /// Bytes that are shown in front of the first that differs.
    private static let context = 8

    /// Of bytes only those around the first difference are kept; the name says where they begin.
    init(_ name: String, _ left: ComparedExchange.Value?, _ right: ComparedExchange.Value?) {
        (self.name, self.left, self.right) = (name, left, right)
        guard case .bytes(let first) = left?.content, case .bytes(let second) = right?.content
        else { return }
        let common = zip(first, second).prefix { $0 == $1 }.count
        guard common > Self.context else { return }
        let start = common - Self.context
        self.name += " from byte \(start)"
        self.left?.content = .bytes(Array(first[start...]))
        self.right?.content = .bytes(Array(second[start...]))
    }
}

// MARK: - From an exchange

extension ComparedExchange {
    /// Where the setup put what every setup has elsewhere.
    struct Places {
        var pages: LaunchPlan.SetupPages
        /// RSP of the vCPUs that stood at the guest's entry.
        var entryStacks: [Int: UInt64] = [:]

        func value(_ number: UInt64) -> Value {
            Value(content: .number(number), place: place(number))
        }

        /// Eight bytes may be a pointer, as in a ucall.
        func value(_ bytes: some Collection<UInt8>) -> Value {
            let pointer = bytes.count == 8 ? place(UInt64(littleEndian: bytes)) : nil
            return Value(content: .bytes(Array(bytes)), place: pointer)
        }

        private func place(_ address: UInt64) -> Place? {
            if pages.ghcbs.contains(address) { return .ghcb(offset: address & 0xfff) }
            guard let vcpu = pages.stacks.firstIndex(where: { $0.contains(address) }) else {
                return nil
            }
            let offset = entryStacks[vcpu].map { Int64(bitPattern: address &- $0) }
            return .stack(vcpu: vcpu, offset: offset)
        }
    }

    init(sequence: Int, _ exchange: Exchange, _ places: Places) {
        self.sequence = sequence
        rip = exchange.rip
        (code, name, summary) = (exchange.codeText, exchange.name, exchange.summary)
        protocolName = exchange.protocolName
        request = Self.request(exchange, places)
        answer = Self.answer(exchange, places)
    }

    private static func request(_ exchange: Exchange, _ places: Places) -> [Field] {
        guard let page = exchange.requestPage else {
            return [Field(name: "msr", value: places.value(exchange.msr))]
        }
        var fields = exchange.requestFields.compactMap { field, reading in
            reading.value.map { Field(name: field.name, value: places.value($0)) }
        }
        for field in [GHCBField.protocolVersion, .ghcbUsage] {
            let number = ComparedExchange.Content.number(page.raw(field))
            fields.append(Field(name: field.name, value: Value(content: number)))
        }
        if exchange.sendsScratch, let bytes = exchange.scratchBytes(page) {
            fields.append(Field(name: "data", value: places.value(bytes)))
        }
        return fields
    }

    private static func answer(_ exchange: Exchange, _ places: Places) -> [Field] {
        let outcome = Value(content: .word(exchange.outcome.name))
        var fields = [Field(name: "outcome", value: outcome)]
        switch exchange.content {
        case .page(let request, let page?):
            let returned = exchange.outcome == .ok ? NAEEvent.returnedFields(of: request) : []
            for field in [.swExitInfo1, .swExitInfo2] + returned.filter({ $0 != .swExitInfo2 }) {
                guard let value = page.value(field) else { continue }
                fields.append(Field(name: field.name, value: places.value(value)))
            }
            if !exchange.sendsScratch, let bytes = exchange.scratchBytes(page) {
                fields.append(Field(name: "data", value: places.value(bytes)))
            }
        case .msr(let response?): fields.append(Field(name: "msr", value: places.value(response)))
        case .page, .msr, .noPage: break
        }
        return fields
    }
}

extension Exchange {
    /// Whether the data in the scratch area is the guest's, not the hypervisor's.
    fileprivate var sendsScratch: Bool {
        switch exitCode {
        case .ioio: !IOIOInfo(rawValue: info1).isInput
        case .mmioRead: false
        default: true
        }
    }
}
