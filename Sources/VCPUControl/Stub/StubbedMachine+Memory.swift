/// Memory that the stub has read, as it is while no vCPU runs.
struct StubMemoryCache {
    /// Pieces of the guest's memory by their first address; `nil`: cannot be reached.
    var pieces: [UInt64: [UInt8]?] = [:]
    /// Bytes in a piece; a multiple of it is a page, and one command moves it.
    static let size = 2048
}

// Memory: the shared pages from outside, the private ones through the stub.
extension StubbedMachine {
    package func read(
        _ address: GuestPhysicalAddress, count: Int, as view: MemoryView
    ) -> Reading<[UInt8]> {
        if view != .private {
            let outside = base.read(address, count: count, as: view)
            if view == .shared || outside.value != nil || outside == .hidden(.unmapped) {
                return outside
            }
        }
        guard let number = anyStopped() else { return .hidden(isOver ? .protected : .running) }
        // RAM is mapped to itself (DESIGN 3, guest contract).
        guard let bytes = cached(GuestVirtualAddress(address.rawValue), count: count, number) else {
            return .hidden(.unmapped)
        }
        return .known(bytes, from: .selfReport)
    }

    package func write(
        _ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView
    ) throws(MachineError) {
        guard view == .private || base.read(address, count: bytes.count, as: view).value == nil
        else { return try base.write(bytes, to: address, as: .shared) }
        guard let number = anyStopped() else {
            throw .refused(
                "cannot write private memory at \(address.rawValue.hex): the debug stub does it,"
                    + " and no vCPU is in it")
        }
        cache = StubMemoryCache()
        var next = address.rawValue
        for part in Self.parts(bytes) {
            let place = GuestVirtualAddress(next)
            guard try ask(.write(place, keepingBreakpoints(part, at: next)), of: number) else {
                throw .refused("the debug stub cannot write at \(next.hex): it is not mapped")
            }
            next &+= UInt64(part.count)
        }
    }

    private static func parts(_ bytes: [UInt8]) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: StubCommand.limit).map {
            Array(bytes[$0..<min($0 + StubCommand.limit, bytes.count)])
        }
    }

    /// Takes what a write puts below INT3s, which stay.
    private func keepingBreakpoints(_ bytes: [UInt8], at start: UInt64) -> [UInt8] {
        var bytes = bytes
        for place in planted.keys {
            let offset = place &- start
            guard offset < UInt64(bytes.count) else { continue }
            planted[place] = bytes[Int(offset)]
            bytes[Int(offset)] = 0xcc
        }
        return bytes
    }

    /// Reads through the stub at once; `nil` where nothing is mapped.
    func fetch(
        _ address: GuestVirtualAddress, count: Int, _ number: Int
    ) throws(MachineError) -> [UInt8]? {
        guard try ask(.read(address, count: count), of: number) else { return nil }
        let place = vcpus[number].mailbox.rawValue &+ StubCommand.data
        return base.read(GuestPhysicalAddress(place), count: count, as: .shared).value
            .map { overlaid($0, at: address.rawValue) }
    }

    /// Reads in pieces that are kept until the guest runs.
    func cached(
        _ address: GuestVirtualAddress, count: Int, _ number: Int
    ) -> [UInt8]? {
        let size = UInt64(StubMemoryCache.size)
        var bytes: [UInt8] = []
        var next = address.rawValue
        while bytes.count < count {
            let offset = Int(next % size)
            guard let piece = piece(next - UInt64(offset), number) else { return nil }
            bytes += piece[offset...].prefix(count - bytes.count)
            next = next &- UInt64(offset) &+ size
        }
        return bytes
    }

    private func piece(_ start: UInt64, _ number: Int) -> [UInt8]? {
        if let known = cache.pieces[start] { return known }
        let bytes = try? fetch(GuestVirtualAddress(start), count: StubMemoryCache.size, number)
        let piece = bytes.flatMap { $0 }
        cache.pieces[start] = .some(piece)
        return piece
    }
}
