internal import SystemPackage

// Answering accesses, and telling the requests behind them.
extension SEVESMachine {
    package func complete(_ vcpu: Int, with data: [UInt8]) throws(MachineError) {
        let number = try checked(vcpu)
        let state = vm.vcpus[number]
        guard case .waiting(let bytes) = state.activity else {
            throw .refused("vCPU \(number) has no access to complete")
        }
        guard data.count == bytes else {
            throw .refused("the access of vCPU \(number) takes \(bytes) bytes, not \(data.count)")
        }
        guard data.isEmpty || state.file.page.answer(data) else {
            throw .refused("KVM no longer waits for the access of vCPU \(number)")
        }
        state.activity = .running
        guard let (address, sight) = state.request else { return }
        state.request = nil
        var exchange = Exchange(
            vcpu: number, rip: .init(0), msr: address,
            content: .page(request: sight.request, response: sight.response(data)), outcome: .ok)
        exchange.rip = .hidden(.protected)
        exchange.sight = sight
        held.append((number, .vmgexit(exchange)))
    }

    /// The next `KVM_RUN` goes on behind a HLT: the VM has no interrupt controller in the kernel.
    package func resume(_ vcpu: Int) throws(MachineError) {
        let number = try checked(vcpu)
        guard vm.vcpus[number].activity == .halted else {
            throw .refused("vCPU \(number) has not executed HLT: there is nothing to end")
        }
        vm.vcpus[number].activity = .running
    }

    package func injectNMI(_ vcpu: Int) throws(MachineError) {
        let state = vm.vcpus[try checked(vcpu)]
        guard state.activity != .ended else {
            throw .refused("vCPU \(vcpu) is at its end: no NMI can reach it")
        }
        do throws(KVMError) {
            try state.file.injectNMI()
        } catch { throw .refused(error.message) }
        if state.activity == .halted { state.activity = .running }
    }
}

// The GHCB, read from the page that it shares.
extension SEVESMachine {
    /// The request that led to an exit, and its page; `nil` where the stub tells of it, or where the
    /// page cannot be found.
    func sight(
        _ exit: RequestSight.Exit, of number: Int
    ) -> (address: UInt64, sight: RequestSight)? {
        guard tracing == nil, !isExchanging(number) else { return nil }
        for address in ghcbAddresses(of: number, asking: exit.code) {
            guard let page = sharedPage(address), let sight = RequestSight(page, exit) else {
                continue
            }
            return (address, sight)
        }
        return nil
    }

    /// Where the GHCB of a vCPU may be that holds an exit code, for KVM does not tell.
    ///
    /// Its own page comes first, then what was shared at the launch, then all that the guest may
    /// have shared since.
    func ghcbAddresses(of number: Int, asking code: ExitCode) -> some Sequence<UInt64> {
        let own = Self.pages(plan.setupPages.ghcbs).dropFirst(number).prefix(1)
        let all = Self.pages(0..<plan.ramSize).prefix(Self.longestSearch)
        return [Array(own), shared.flatMap(Self.pages), Array(all)].joined().lazy
            .filter { [self] in asks(at: $0) == code }
    }

    private static func pages(_ range: Range<UInt64>) -> [UInt64] {
        Array(stride(from: range.lowerBound, to: range.upperBound, by: 4096))
    }

    /// Pages that are looked through for one request: 1 GiB.
    private static let longestSearch = 1 << 18

    private func asks(at page: UInt64) -> ExitCode? {
        vm.memory.read(page &+ UInt64(GHCBField.swExitCode.offset), count: 8)
            .map { ExitCode(UInt64(littleEndian: $0)) }
    }

    func sharedPage(_ address: UInt64) -> GHCBPage? {
        read(.init(address), count: GHCBPage.size, as: .shared).value.flatMap(GHCBPage.init)
    }

    private func mailbox(of number: Int) -> GuestPhysicalAddress? { plan.vcpus[number].mailbox }

    /// Whether the stub's #VC handler waits for the hypervisor, and tells of that by itself.
    private func isExchanging(_ number: Int) -> Bool {
        guard let mailbox = mailbox(of: number),
            let bytes = read(mailbox, count: StubMailbox.size, as: .shared).value
        else { return false }
        return StubMailbox(bytes)?.state == .exchanging
    }
}
