// All that a screen shows, as one value.
extension Session {
    /// The guest as it stands, seen from the current vCPU.
    package func snapshot() -> Snapshot {
        Snapshot(
            setup: options.setup, machine: machine.traits.name, guest: configuration.image.name,
            vcpus: (0..<machine.vcpuCount).map(vcpu), current: current,
            registers: machine.registers(of: current),
            system: machine.systemRegisters(of: current), code: visibleCode,
            ghcbMSR: ghcbMSR(of: current), ghcbPage: ghcbPage(of: current),
            lastExchange: exchanges.last(of: current), instructions: instructions,
            vmgexits: exchanges.count, breakpoints: breakpoints.all.map(\.number),
            setups: GHCBSetup.allCases.filter(canHave))
    }

    func vcpu(_ number: Int) -> Snapshot.VCPU {
        Snapshot.VCPU(
            number: number, state: states[number],
            rip: machine.registers(of: number).map { GuestVirtualAddress($0[.rip]) },
            instructions: machine.instructions(of: number))
    }

    /// Lines of code in front of RIP and from it on: what a tall terminal shows.
    private static let linesBefore = 8
    private static let linesAfter = 56

    private var visibleCode: Reading<[Snapshot.Line]> {
        switch machine.registers(of: current) {
        case .hidden(let reason): return .hidden(reason)
        case .known(let registers, let source):
            let rip = GuestVirtualAddress(registers[.rip])
            let listing = code(from: rip) { lines, _ in lines < Self.linesAfter }
            if let reason = listing.hidden, listing.lines.isEmpty { return .hidden(reason) }
            return .known(linesBefore(rip).suffix(Self.linesBefore) + listing.lines, from: source)
        }
    }

    /// Code that ends where RIP is: from the symbol on, or from wherever leads there.
    private func linesBefore(_ rip: GuestVirtualAddress) -> [Snapshot.Line] {
        let farthest = UInt64(Self.linesBefore * 6)
        let symbol = symbols.symbols.last { $0.address <= rip }?.address
        let distance = symbol.map { min(rip.rawValue - $0.rawValue, 256) } ?? farthest
        let candidates = [distance] + (1...farthest).reversed()
        for distance in candidates where distance <= rip.rawValue {
            let start = GuestVirtualAddress(rip.rawValue - distance)
            if let symbol, start < symbol { continue }
            let lines = code(from: start) { lines, next in lines < 128 && next < rip }.lines
            guard let last = lines.last, !lines.contains(where: { $0.text == "(bad)" }) else {
                continue
            }
            if Self.advance(last.address, by: last.bytes.count) == rip { return lines }
        }
        return []
    }
}
