/// The named addresses of a guest.
package struct SymbolTable: Sendable, Equatable {
    package struct Symbol: Sendable, Equatable {
        package var name: String
        package var address: GuestVirtualAddress
        /// Bytes that the symbol covers; 0 reaches to the next symbol, or a page far.
        package var size: UInt64

        package init(name: String, address: GuestVirtualAddress, size: UInt64 = 0) {
            self.name = name
            self.address = address
            self.size = size
        }
    }

    /// In order of address.
    package let symbols: [Symbol]

    package init(_ symbols: [Symbol] = []) {
        self.symbols = symbols.sorted { ($0.address, $0.name) < ($1.address, $1.name) }
    }

    package subscript(name: String) -> GuestVirtualAddress? {
        symbols.first { $0.name == name }?.address
    }

    /// How far a symbol without a size reaches at most: farther, its name would mislead.
    private static let farthest: UInt64 = 0x1000

    /// `name` or `name+0x12` of the symbol that covers an address.
    package func describe(_ address: GuestVirtualAddress) -> String? {
        guard let symbol = symbols.last(where: { $0.address <= address }) else { return nil }
        let offset = address.rawValue - symbol.address.rawValue
        let reach = symbol.size == 0 ? Self.farthest : symbol.size
        guard offset == 0 || offset < reach else { return nil }
        return offset == 0 ? symbol.name : symbol.name + "+0x" + String(offset, radix: 16)
    }
}
