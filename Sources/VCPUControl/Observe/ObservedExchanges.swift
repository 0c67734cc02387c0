internal import CBPF

/// Makes exchanges of records, numbers them, and holds them against the lint rules.
struct ObservedExchanges {
    private var joiner: ExchangeJoiner
    private var linter: Linter
    private(set) var count = 0
    private(set) var findings = 0

    var unjoined: Int { joiner.unjoined }

    init(_ vm: ObservedVM) {
        let version = vm.sev?.ghcbVersion ?? 2
        let cBit = Int(cbpf_c_bit())
        joiner = ExchangeJoiner(ghcbVersion: version, cBit: cBit)
        let model = HypervisorModel(ghcbVersion: version, cBit: cBit, vcpus: 1)
        linter = Linter(Linter.VM(ghcbVersion: version, resetMSR: model.resetMSR))
    }

    mutating func take(_ record: TracepointRecord) -> [ObserveEvent] {
        joiner.take(record).flatMap { report($0) }
    }

    /// The exchanges that were open when everything ended.
    mutating func finish() -> [ObserveEvent] { joiner.finish().flatMap { report($0) } }

    private mutating func report(_ exchange: Exchange) -> [ObserveEvent] {
        count += 1
        // The other vCPUs' MSRs are known from their last VMGEXITs only, which says too little.
        let found = linter.observe(.exchange(sequence: count, exchange, VMGEXITContext()))
        findings += found.count
        return [.vmgexit(sequence: count, exchange)] + found.map(ObserveEvent.finding)
    }
}
