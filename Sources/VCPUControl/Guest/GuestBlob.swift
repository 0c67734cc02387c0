internal import CKVM

/// A program of CKVM/guest: position-independent bytes with named places.
struct GuestBlob {
    let code: [UInt8]
    /// Offsets in the code.
    let symbols: [(name: String, offset: UInt64)]
    /// The offset of the first shared page, if there is one; all behind it is shared.
    let sharedOffset: UInt64?

    init(_ blob: ckvm_blob) {
        code = Self.part(ckvm_part_code, of: blob)
        let all = Self.symbols(in: Self.part(ckvm_part_symbols, of: blob))
        symbols = all.filter { $0.name != ".shared" }
        sharedOffset = all.first { $0.name == ".shared" }?.offset
    }

    /// The offset of a symbol; 0, the blob's entry, for a name that it does not have.
    subscript(symbol: String) -> UInt64 {
        symbols.first { $0.name == symbol }?.offset ?? 0
    }

    private static func part(_ part: ckvm_part, of blob: ckvm_blob) -> [UInt8] {
        (0..<ckvm_blob_size(blob, part)).map { ckvm_blob_byte(blob, part, $0) }
    }

    /// Reads what the macro `symbol_record` of blob.h writes.
    private static func symbols(in bytes: [UInt8]) -> [(name: String, offset: UInt64)] {
        var found: [(name: String, offset: UInt64)] = []
        var rest = bytes[...]
        while rest.count > 4 {
            let offset = rest.prefix(4).reversed().reduce(0) { $0 << 8 | UInt64($1) }
            let name = rest.dropFirst(4).prefix { $0 != 0 }
            found.append((String(decoding: name, as: UTF8.self), offset))
            rest = rest.dropFirst(4 + name.count + 1)
        }
        return found
    }
}
