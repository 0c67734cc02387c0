// The code that a screen shows.
extension Session {
    /// Lines of code in front of RIP and from it on: what a tall terminal shows.
    private static let linesBefore = 40
    private static let linesAfter = 56
    /// Lines on each side of another place: more than a page of a screen.
    private static let linesAround = 80

    var codeAtRIP: Reading<[Snapshot.Line]> {
        switch machine.registers(of: current) {
        case .hidden(let reason): return .hidden(reason)
        case .known(let registers, let source):
            let rip = GuestVirtualAddress(registers[.rip])
            let listing = code(from: rip) { lines, _ in lines < Self.linesAfter }
            if let reason = listing.hidden, listing.lines.isEmpty { return .hidden(reason) }
            return .known(
                (lines(to: rip) ?? []).suffix(Self.linesBefore) + listing.lines, from: source)
        }
    }

    /// The code on both sides of an address.
    func code(around address: GuestVirtualAddress) -> Reading<[Snapshot.Line]> {
        let source: Provenance
        switch memory.read(address, count: 1) {
        case .hidden(let reason): return .hidden(reason)
        case .known(_, let provenance): source = provenance
        }
        let listing = code(from: address) { lines, _ in lines < Self.linesAround }
        var (before, start) = ([Snapshot.Line](), address)
        while before.count < Self.linesAround, let piece = linesBefore(start),
            let first = piece.first
        {
            before = piece + before
            start = first.address
        }
        return .known(before.suffix(Self.linesAround) + listing.lines, from: source)
    }

    /// A piece of code that ends at an address; a byte alone where no instruction does.
    private func linesBefore(_ end: GuestVirtualAddress) -> [Snapshot.Line]? {
        guard end.rawValue > 0 else { return nil }
        let last = GuestVirtualAddress(end.rawValue - 1)
        // From the symbol before, which is another one where the address starts one.
        if let lines = lines(to: end, inSymbolOf: last), !lines.isEmpty { return lines }
        return memory.read(last, count: 1).value.map { [line(at: last, $0)] }
    }

    private func lines(to end: GuestVirtualAddress) -> [Snapshot.Line]? {
        lines(to: end, inSymbolOf: end)
    }

    /// Code that ends at an address: from its symbol on, or from wherever leads there.
    private func lines(
        to end: GuestVirtualAddress, inSymbolOf place: GuestVirtualAddress
    ) -> [Snapshot.Line]? {
        let farthest: UInt64 = 48
        let symbol = symbols.symbols.last { $0.address <= place }?.address
        let distance = symbol.map { min(end.rawValue - $0.rawValue, 256) } ?? farthest
        let candidates = [distance] + (1...farthest).reversed()
        for distance in candidates where distance <= end.rawValue {
            let start = GuestVirtualAddress(end.rawValue - distance)
            if let symbol, start < symbol { continue }
            let lines = code(from: start) { lines, next in lines < 256 && next < end }.lines
            guard let last = lines.last, !lines.contains(where: { $0.text == "(bad)" }) else {
                continue
            }
            if Self.advance(last.address, by: last.bytes.count) == end { return lines }
        }
        return nil
    }
}
