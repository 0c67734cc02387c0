/// Private memory that was read, as it is while no vCPU runs.
struct PrivateMemoryCache {
    /// Pieces of the guest's memory by their first address.
    var pieces: [UInt64: Reading<[UInt8]>] = [:]
    /// Bytes in a piece; a multiple of it is a page, and one command of the stub moves it.
    static let size: UInt64 = 2048
}

// Memory: from outside where the host can, the private one else through the stub.
extension StubbedMachine {
    package func read(
        _ address: GuestPhysicalAddress, count: Int, as view: MemoryView
    ) -> Reading<[UInt8]> {
        switch view {
        case .private: return privateBytes(address.rawValue, count: count)
        case .shared:
            return base.read(address, count: count, as: .shared)
                .map { overlaid($0, atPhysical: address.rawValue, as: .shared) }
        case .asUsed:
            let outside = base.read(address, count: count, as: .asUsed)
                .map { overlaid($0, atPhysical: address.rawValue, as: .shared) }
            guard case .hidden(let reason) = outside, reason != .unmapped else { return outside }
            return bytesAsUsed(address, count: count)
        }
    }

    /// Page by page as the guest maps them now.
    private func bytesAsUsed(_ address: GuestPhysicalAddress, count: Int) -> Reading<[UInt8]> {
        var bytes: [UInt8] = []
        var source = Provenance.direct
        while bytes.count < count {
            let next = GuestPhysicalAddress(address.rawValue &+ UInt64(bytes.count))
            let size = min(count - bytes.count, 4096 - next.offset)
            switch isPrivate(next.page) {
            case .hidden(let reason): return .hidden(reason)
            case .known(let isPrivate, _):
                let part = read(next, count: size, as: isPrivate ? .private : .shared)
                guard case .known(let content, let from) = part else { return part }
                bytes += content
                if isPrivate { source = from }
            }
        }
        return .known(bytes, from: source)
    }

    package func write(
        _ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView
    ) throws(MachineError) {
        if base.read(address, count: bytes.count, as: .shared) == .hidden(.unmapped) {
            throw .noMemory(address, count: bytes.count)
        }
        switch view {
        case .shared: return try writeOutside(bytes, to: address, as: .shared)
        case .asUsed:
            if base.read(address, count: bytes.count, as: .asUsed).value != nil {
                return try writeOutside(bytes, to: address, as: .asUsed)
            }
            switch isPrivate(address.page) {
            case .known(true, _): break
            case .known(false, _): return try writeOutside(bytes, to: address, as: .shared)
            case .hidden:
                // The stub writes as the guest would.
                guard !decrypts else { throw unknownForm(address) }
            }
        case .private: break
        }
        cache = PrivateMemoryCache()
        if decrypts { return try writeOutside(bytes, to: address, as: .private) }
        let bytes = keepingBreakpoints(bytes, at: address.rawValue, as: .private)
        try writeThroughStub(bytes, at: address.rawValue)
    }

    private func writeOutside(
        _ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView
    ) throws(MachineError) {
        let form = view == .private ? view : .shared
        let bytes = keepingBreakpoints(bytes, at: address.rawValue, as: form)
        try base.write(bytes, to: address, as: view)
    }

    private func unknownForm(_ address: GuestPhysicalAddress) -> MachineError {
        .refused(
            "cannot write at \(address.rawValue.hex): whether the guest has the page shared is known"
                + " only while a vCPU is in the debug stub")
    }

    private func writeThroughStub(_ bytes: [UInt8], at start: UInt64) throws(MachineError) {
        guard let number = anyStopped() else {
            throw .refused(
                "cannot write private memory at \(start.hex): the debug stub does it, and no vCPU"
                    + " is in it")
        }
        for offset in stride(from: 0, to: bytes.count, by: StubCommand.limit) {
            let part = Array(bytes[offset...].prefix(StubCommand.limit))
            let place = start &+ UInt64(offset)
            guard try ask(.write(GuestVirtualAddress(place), part), of: number) else {
                throw .refused("the debug stub cannot write at \(place.hex): it is not mapped")
            }
        }
    }

    /// Takes what a write puts below INT3s, which stay.
    private func keepingBreakpoints(
        _ bytes: [UInt8], at start: UInt64, as view: MemoryView
    ) -> [UInt8] {
        var kept = bytes
        for (place, breakpoint) in planted where breakpoint.view ?? .private == view {
            let offset = breakpoint.physical &- start
            guard offset < UInt64(bytes.count) else { continue }
            planted[place]?.byte = bytes[Int(offset)]
            kept[Int(offset)] = Self.breakpointOpcode
        }
        return kept
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

    /// Private memory, read in pieces that are kept until the guest runs.
    func privateBytes(_ address: UInt64, count: Int) -> Reading<[UInt8]> {
        var bytes: [UInt8] = []
        var source = Provenance.selfReport
        while bytes.count < count {
            let next = address &+ UInt64(bytes.count)
            let offset = next % PrivateMemoryCache.size
            guard case .known(let piece, let from) = piece(next - offset) else {
                return piece(next - offset)
            }
            bytes += piece[Int(offset)...].prefix(count - bytes.count)
            source = from
        }
        return .known(bytes, from: source)
    }

    private func piece(_ start: UInt64) -> Reading<[UInt8]> {
        if let known = cache.pieces[start] { return known }
        let count = Int(PrivateMemoryCache.size)
        let outside = base.read(GuestPhysicalAddress(start), count: count, as: .private)
        var piece = outside.map { overlaid($0, atPhysical: start, as: .private) }
        if piece == .hidden(.protected) { piece = reportedPiece(start, count: count) }
        cache.pieces[start] = piece
        return piece
    }

    /// What the stub says; RAM is mapped to itself (DESIGN 3, guest contract).
    private func reportedPiece(_ start: UInt64, count: Int) -> Reading<[UInt8]> {
        guard let number = anyStopped() else { return .hidden(isOver ? .protected : .running) }
        let bytes = try? fetch(GuestVirtualAddress(start), count: count, number)
        return bytes.flatMap { $0 }.map { .known($0, from: .selfReport) } ?? .hidden(.unmapped)
    }
}
