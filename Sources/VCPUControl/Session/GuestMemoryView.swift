/// The memory of a guest at virtual addresses, as one vCPU sees it.
///
/// Where the page tables are protected, an address is taken as a guest physical one: sevdbg's own
/// tables map them identically (DESIGN 3, guest contract).
struct GuestMemoryView {
    let machine: any Machine
    let vcpu: Int

    /// Reads across pages; hidden where one of the bytes is.
    func read(_ address: GuestVirtualAddress, count: Int) -> Reading<[UInt8]> {
        var bytes: [UInt8] = []
        var source = Provenance.direct
        for piece in Self.pieces(address, count: count) {
            switch read(piece) {
            case .known(let part, let from):
                bytes += part
                source = from
            case .hidden(let reason): return .hidden(reason)
            }
        }
        return .known(bytes, from: source)
    }

    /// Reads up to `count` bytes, as far as they go; hidden where not even the first can be had.
    func readAvailable(_ address: GuestVirtualAddress, count: Int) -> Reading<[UInt8]> {
        let pieces = Self.pieces(address, count: count)
        guard let first = pieces.first else { return .known([], from: .direct) }
        return read(first).map { bytes in
            var bytes = bytes
            for piece in pieces.dropFirst() {
                guard let part = read(piece).value else { break }
                bytes += part
            }
            return bytes
        }
    }

    /// Writes all of the bytes, or none where one of the pages is not mapped.
    func write(_ bytes: [UInt8], to address: GuestVirtualAddress) throws(CommandFailure) {
        var parts: [(Place, ArraySlice<UInt8>)] = []
        var rest = bytes[...]
        for piece in Self.pieces(address, count: bytes.count) {
            guard let place = place(of: piece.address).value else {
                throw CommandFailure(
                    "cannot write at \(piece.address.rawValue.hex): the guest's page tables do not"
                        + " map it")
            }
            parts.append((place, rest.prefix(piece.count)))
            rest = rest.dropFirst(piece.count)
        }
        do throws(MachineError) {
            for (place, part) in parts {
                try machine.write(Array(part), to: place.address, as: place.view)
            }
        } catch { throw CommandFailure(error.message) }
    }

    /// Where bytes lie, cut at the borders of pages; `nil` where nothing is mapped.
    func places(
        of address: GuestVirtualAddress, count: Int
    ) -> [(address: GuestPhysicalAddress?, count: Int)] {
        Self.pieces(address, count: count).map { (place(of: $0.address).value?.address, $0.count) }
    }

    private struct Place {
        var address: GuestPhysicalAddress
        var view: MemoryView
    }

    private struct Piece {
        var address: GuestVirtualAddress
        var count: Int
    }

    private func read(_ piece: Piece) -> Reading<[UInt8]> {
        switch place(of: piece.address) {
        case .known(let place, _):
            machine.read(place.address, count: piece.count, as: place.view)
        case .hidden(let reason): .hidden(reason)
        }
    }

    private func place(of address: GuestVirtualAddress) -> Reading<Place> {
        switch machine.translate(address, on: vcpu) {
        case .known(let translation?, let source):
            let view = translation.isPrivate ? MemoryView.private : .shared
            return .known(Place(address: translation.address, view: view), from: source)
        case .known(nil, _): return .hidden(.unmapped)
        case .hidden:
            let address = GuestPhysicalAddress(address.rawValue)
            return .known(Place(address: address, view: .asUsed), from: .launch)
        }
    }

    /// Cuts a range at the borders of pages.
    private static func pieces(_ address: GuestVirtualAddress, count: Int) -> [Piece] {
        var pieces: [Piece] = []
        var next = address.rawValue
        var rest = count
        while rest > 0 {
            let size = min(rest, 4096 - Int(next & 0xfff))
            pieces.append(Piece(address: GuestVirtualAddress(next), count: size))
            next &+= UInt64(size)
            rest -= size
        }
        return pieces
    }
}

extension MachineError {
    /// The sentence for the user.
    package var message: String {
        switch self {
        case .refused(let text): text
        case .noMemory(let address, let count):
            "there is no RAM behind all \(count) bytes at \(address.rawValue.hex)"
        case .noSuchVCPU(let number): "there is no vCPU \(number); see info vcpus"
        }
    }
}
