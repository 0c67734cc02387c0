extension ELFFile {
    /// What a symbol needs at most; longer names, which C++ has, are cut.
    private static let nameLimit = 256
    /// More than any guest has; each takes 24 bytes of the file.
    private static let symbolLimit: UInt64 = 1 << 20

    /// The functions, objects and untyped labels of the symbol table, moved by `base`.
    func symbols(base: UInt64) throws(ELFError) -> [SymbolTable.Symbol] {
        guard let table = sections.first(where: { $0.type == SectionHeader.symbolTable }) else {
            return []
        }
        guard bytes.slice(at: table.offset, count: table.size) != nil else {
            throw .truncated("symbol table")
        }
        guard table.size / 24 <= Self.symbolLimit else {
            throw .unsupported("has more than \(Self.symbolLimit) symbols: strip it")
        }
        guard Int(table.link) < sections.count else {
            throw .damaged("its symbol table has no names")
        }
        let names = sections[Int(table.link)].offset
        var symbols: [SymbolTable.Symbol] = []
        for index in 0..<table.size / 24 {
            if let symbol = symbol(at: table.offset + index * 24, names: names, base: base) {
                symbols.append(symbol)
            }
        }
        return symbols
    }

    /// `nil` for an entry that names no place in the guest.
    private func symbol(at offset: UInt64, names: UInt64, base: UInt64) -> SymbolTable.Symbol? {
        guard let nameOffset = bytes.load(UInt32.self, at: offset),
            let info = bytes.load(UInt8.self, at: offset + 4),
            let section = bytes.load(UInt16.self, at: offset + 6),
            let value = bytes.load(UInt64.self, at: offset + 8),
            let size = bytes.load(UInt64.self, at: offset + 16),
            info & 15 <= 2,  // no type, object, function
            section != 0, section < 0xff00,  // defined, and no absolute number
            let name = bytes.text(at: names &+ UInt64(nameOffset), limit: Self.nameLimit),
            !name.isEmpty
        else { return nil }
        return .init(name: name, address: .init(value &+ base), size: size)
    }
}
