/// What `x` showed last, for an `x` without arguments.
struct Examined {
    var letter = ExamineFormat.Letter.hex
    var unit = MemoryUnit.word
    var next: GuestVirtualAddress?
}

// Memory and values: `x` and `print`.
extension Session {
    func examine(
        _ format: ExamineFormat, _ place: Expression?
    ) throws(CommandFailure) -> CommandAnswer {
        let letter = format.letter ?? examined.letter
        let unit = Self.unit(format, letter, examined.unit)
        let start = try place.map { (place) throws(CommandFailure) in try address(place) }
        guard let start = start ?? examined.next else {
            throw CommandFailure("x: an address is missing; try x/4xg $rsp")
        }
        (examined.letter, examined.unit) = (letter, unit)
        switch letter {
        case .instruction: return .code(examineCode(start, format.count))
        case .string: return .memory(examineStrings(start, format.count))
        default: return .memory(examineUnits(start, format.count, letter, unit))
        }
    }

    /// gdb's rule: addresses are giant, characters are bytes unless a unit is given.
    private static func unit(
        _ format: ExamineFormat, _ letter: ExamineFormat.Letter, _ last: MemoryUnit
    ) -> MemoryUnit {
        if letter == .address { return .giant }
        if let unit = format.unit { return unit }
        return letter == .character && format.letter != nil ? .byte : last
    }

    private func examineUnits(
        _ start: GuestVirtualAddress, _ count: Int, _ letter: ExamineFormat.Letter,
        _ unit: MemoryUnit
    ) -> MemoryListing {
        let items = (0..<count).map { index in
            let address = Self.advance(start, by: index * unit.rawValue)
            let bytes = memory.read(address, count: unit.rawValue)
            let value = letter == .address ? bytes.value.map(UInt64.init(littleEndian:)) : nil
            return MemoryListing.Item(
                address: address, symbol: symbols.describe(address), bytes: bytes,
                valueSymbol: value.flatMap { symbols.describe(GuestVirtualAddress($0)) })
        }
        examined.next = Self.advance(start, by: count * unit.rawValue)
        return MemoryListing(letter: letter, unit: unit, items: items)
    }

    /// gdb shows this much of a string at once.
    private static let longestString = 200

    private func examineStrings(_ start: GuestVirtualAddress, _ count: Int) -> MemoryListing {
        var next = start
        var items: [MemoryListing.Item] = []
        while items.count < count {
            let all = memory.readAvailable(next, count: Self.longestString)
            let text = all.map { Array($0.prefix { $0 != 0 }) }
            items.append(.init(address: next, symbol: symbols.describe(next), bytes: text))
            guard let length = text.value?.count, let available = all.value?.count else { break }
            next = Self.advance(next, by: length < available ? length + 1 : max(length, 1))
        }
        examined.next = next
        return MemoryListing(letter: .string, unit: .byte, items: items)
    }

    static func advance(_ address: GuestVirtualAddress, by count: Int) -> GuestVirtualAddress {
        GuestVirtualAddress(address.rawValue &+ UInt64(count))
    }

    func printed(
        _ letter: ExamineFormat.Letter?, _ expression: Expression
    ) throws(CommandFailure) -> CommandAnswer {
        let value = try evaluate(expression)
        values.append(value)
        return .value(
            PrintedValue(
                number: values.count, value: value, letter: letter,
                symbol: symbols.describe(GuestVirtualAddress(value.bits))))
    }
}

// Code: `x/i`, `disassemble`, and the instruction at a stop.
extension Session {
    /// The instruction at an address; `nil` where there is none or it cannot be read.
    func instruction(at address: GuestVirtualAddress, _ vcpu: Int) -> DisassembledInstruction? {
        let view = GuestMemoryView(machine: machine, vcpu: vcpu)
        let bytes = view.readAvailable(address, count: Disassembler.longestInstruction)
        return bytes.value.flatMap {
            disassembler.disassemble($0, at: address, symbols: symbols)
        }
    }

    private func examineCode(_ start: GuestVirtualAddress, _ count: Int) -> CodeListing {
        let listing = code(from: start) { lines, _ in lines < count }
        examined.next = listing.lines.last.map { Self.advance($0.address, by: $0.bytes.count) }
        return listing
    }

    /// Disassembles while a condition on the number of lines and the next address holds.
    func code(
        from start: GuestVirtualAddress, while condition: (Int, GuestVirtualAddress) -> Bool
    ) -> CodeListing {
        var listing = CodeListing(function: nil, lines: [], rip: rip(of: current))
        var next = start
        while condition(listing.lines.count, next) {
            switch memory.readAvailable(next, count: Disassembler.longestInstruction) {
            case .hidden(let reason):
                listing.hidden = reason
                return listing
            case .known(let bytes, _):
                let line = line(at: next, bytes)
                listing.lines.append(line)
                next = Self.advance(next, by: line.bytes.count)
            }
        }
        return listing
    }

    /// One line of code; a byte that starts no instruction stands alone.
    func line(at address: GuestVirtualAddress, _ bytes: [UInt8]) -> Snapshot.Line {
        let instruction = disassembler.disassemble(bytes, at: address, symbols: symbols)
        return Snapshot.Line(
            address: address, bytes: Array(bytes.prefix(instruction?.length ?? 1)),
            text: instruction?.text ?? "(bad)", symbol: symbols.describe(address),
            hasBreakpoint: breakpoints.all.contains { $0.address == address })
    }

    func rip(of vcpu: Int) -> GuestVirtualAddress? {
        machine.registers(of: vcpu).value.map { GuestVirtualAddress($0[.rip]) }
    }

    /// More than a function has that anyone reads.
    private static let mostLines = 10_000

    func disassemble(_ range: Command.CodeRange) throws(CommandFailure) -> CommandAnswer {
        let listing: CodeListing
        switch range {
        case .function(let place): listing = try function(place)
        case .range(let start, let end):
            let end = try address(end)
            listing = code(from: try address(start)) { $0 < Self.mostLines && $1 < end }
        case .length(let start, let length):
            let start = try address(start)
            let size = try evaluate(length).bits
            listing = code(from: start) {
                $0 < Self.mostLines && $1.rawValue &- start.rawValue < size
            }
        }
        if let reason = listing.hidden, listing.lines.isEmpty {
            throw CommandFailure("disassemble: the code cannot be read: \(reason.sentence)")
        }
        return .code(listing)
    }

    /// The function around an address; ten instructions where no symbol covers it.
    private func function(_ place: Expression?) throws(CommandFailure) -> CodeListing {
        let address: GuestVirtualAddress
        if let place {
            address = try self.address(place)
        } else {
            address = GuestVirtualAddress(try knownRegisters(current)[.rip])
        }
        guard symbols.describe(address) != nil,
            let index = symbols.symbols.lastIndex(where: { $0.address <= address })
        else { return code(from: address) { lines, _ in lines < 10 } }
        let symbol = symbols.symbols[index]
        let next = symbols.symbols.first { $0.address > symbol.address }?.address
        let end =
            symbol.size > 0 ? Self.advance(symbol.address, by: Int(clamping: symbol.size)) : next
        var listing = code(from: symbol.address) { lines, address in
            lines < Self.mostLines && end.map { address < $0 } ?? (lines < 64)
        }
        listing.function = symbol.name
        return listing
    }
}
