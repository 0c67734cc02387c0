// What `info` shows.
extension Session {
    func info(_ topic: InfoTopic, _ arguments: [String]) throws(CommandFailure) -> CommandAnswer {
        if let first = arguments.first, topic != .registers, topic != .exits {
            throw CommandFailure("info \(topic.rawValue): `\(first)` does not belong here")
        }
        switch topic {
        case .registers: return .registers(try registerListing(arguments))
        case .ghcb: return .ghcb(ghcbListing)
        case .msr: return .msr((0..<machine.vcpuCount).map(msrListing))
        case .exits: return .exits(try exits(arguments))
        case .findings: return .findings(findings)
        case .breakpoints: return .breakpoints(breakpoints.all)
        case .vcpus: return .vcpus((0..<machine.vcpuCount).map(vcpuListing))
        case .memory:
            guard let plan else { return .text(machine.guestMemory.lines) }
            return .pages(pages(plan))
        case .setup: return setup
        }
    }

    private func registerListing(
        _ arguments: [String]
    ) throws(CommandFailure) -> RegisterListing {
        var (names, systemNames): ([Register], [SystemRegisterName]) = ([], [])
        for argument in arguments {
            let name = String(argument.drop { $0 == "$" })
            switch NamedRegister(name) {
            case .part(let register, _, _): names.append(register)
            case .system(let register): systemNames.append(register)
            case .modelSpecific:
                throw CommandFailure("info registers: \(argument) has no row; use print")
            case nil: throw CommandFailure("info registers: there is no register \(argument)")
            }
        }
        if arguments.isEmpty {
            let reads = machine.traits.readsGHCB
            names = Register.allCases
            systemNames = SystemRegisterName.allCases.filter { $0 != .ghcb || reads }
        }
        let general = machine.registers(of: current)
        let rip = general.value.map { GuestVirtualAddress($0[.rip]) }
        return RegisterListing(
            vcpu: current, general: general, system: machine.systemRegisters(of: current),
            names: names, systemNames: systemNames, symbol: rip.flatMap(symbols.describe))
    }

    private func exits(_ arguments: [String]) throws(CommandFailure) -> [ExchangeRecord] {
        var (count, filter) = (20, ExitFilter.all)
        for argument in arguments {
            if let number = Int(argument), number > 0 {
                count = number
            } else {
                filter = try ExitFilter.parse(argument)
            }
        }
        return exchanges.last(count, matching: filter)
    }

    func vcpuListing(_ number: Int) -> VCPUListing {
        VCPUListing(vcpu: vcpu(number), isCurrent: number == current)
    }

    var setup: CommandAnswer {
        guard let plan else { return .text(attached?.setupLines(machine.guestMemory) ?? []) }
        return .setup(
            SetupListing(
                machine: traits, guest: configuration.image.name,
                entry: configuration.image.entry, options: options,
                isStrict: configuration.isStrict, cBit: plan.cBit))
    }

    /// RAM by the way its pages were last used.
    private func pages(_ plan: LaunchPlan) -> [PageRange] {
        var ranges: [PageRange] = []
        for page in 0..<plan.ramSize / 4096 {
            let start = GuestPhysicalAddress(page * 4096)
            let end = GuestPhysicalAddress(start.rawValue + 4096)
            let isPrivate = machine.isPrivate(start)
            if let last = ranges.last, last.isPrivate == isPrivate {
                ranges[ranges.count - 1].end = end
            } else {
                ranges.append(PageRange(start: start, end: end, isPrivate: isPrivate))
            }
        }
        return ranges
    }
}

// The GHCB and its MSR.
extension Session {
    /// What the GHCB MSR holds; where it is protected, what the last VMGEXIT showed of it.
    func ghcbMSR(of vcpu: Int) -> Reading<UInt64> {
        guard machine.traits.readsGHCB else { return .hidden(.absent) }
        switch machine.systemRegisters(of: vcpu).map(\.ghcb) {
        case .hidden(let reason):
            let live = machine.modelSpecificRegister(ForeignMachine.ghcbMSR, of: vcpu)
            if case .known = live { return live }
            return exchanges.last(of: vcpu).map { .known($0.msr, from: .ghcb) } ?? .hidden(reason)
        case let known: return known
        }
    }

    /// The page that the GHCB MSR names, as the host sees it now.
    func ghcbPage(of vcpu: Int) -> Reading<GHCBPage> {
        guard let msr = ghcbMSR(of: vcpu).value else { return .hidden(.protected) }
        guard msr != 0, msr & 0xfff == 0 else { return .hidden(.unmapped) }
        let bytes = machine.read(
            GuestPhysicalAddress(msr), count: GHCBPage.size, as: .shared)
        guard case .known(let content, let source) = bytes, let page = GHCBPage(content) else {
            return .hidden(.unmapped)
        }
        return .known(page, from: source)
    }

    private var ghcbListing: GHCBListing {
        let msr = ghcbMSR(of: current)
        let page = ghcbPage(of: current).map { page in
            Exchange(
                vcpu: current, rip: GuestVirtualAddress(0), msr: msr.value ?? 0,
                content: .page(request: page, response: nil), outcome: .pending)
        }
        let last = exchanges.last(of: current).flatMap { exchange in
            exchanges.last(ExchangeRecords.capacity, matching: .all).last {
                $0.exchange == exchange
            }
        }
        let steps = options.hypervisor == .kvm ? last?.exchange.steps ?? [] : []
        return GHCBListing(vcpu: current, msr: msr, page: page, last: last, steps: steps)
    }

    private func msrListing(_ vcpu: Int) -> MSRListing {
        MSRListing(vcpu: vcpu, value: ghcbMSR(of: vcpu))
    }
}
