// The memory that a screen shows.
extension Session {
    func window(_ request: MemoryRequest) -> Snapshot.Memory {
        let (target, isConstant): (Result<GuestVirtualAddress, CommandFailure>, Bool)
        do throws(CommandFailure) {
            let expression = try CommandParser.place(request.expression)
            (target, isConstant) = (.success(try address(expression)), expression.isConstant)
        } catch { (target, isConstant) = (.failure(error), true) }
        let start =
            if let fixed = request.start {
                request.start(at: fixed, isConstant: true)
            } else {
                (try? target.get()).map { request.start(at: $0, isConstant: isConstant) }
            }
        return Snapshot.Memory(target: target, rows: start.map { rows(from: $0, request) } ?? [])
    }

    private func rows(
        from start: GuestVirtualAddress, _ request: MemoryRequest
    ) -> [Snapshot.Memory.Row] {
        (0..<request.rows).map { index in
            let address = Self.advance(start, by: index * request.bytesPerRow)
            let bytes = memory.read(address, count: request.bytesPerRow)
            return Snapshot.Memory.Row(address: address, bytes: bytes, use: use(address, bytes))
        }
    }

    /// What the guest's page tables say of an address; where they are hidden, what the machine does.
    private func use(
        _ address: GuestVirtualAddress, _ bytes: Reading<[UInt8]>
    ) -> Snapshot.Memory.PageUse {
        switch machine.translate(address, on: current) {
        case .known(nil, _): return .unmapped
        case .known(let translation?, _): return translation.isPrivate ? .private : .shared
        case .hidden: break
        }
        // All that a host can read of a protected guest is what the guest shares.
        switch bytes {
        case .known: return .shared
        case .hidden(.unmapped): return .unmapped
        case .hidden: return .unknown
        }
    }
}
