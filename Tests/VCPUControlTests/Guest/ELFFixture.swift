import VCPUControl

/// A small ELF64 file, to be bent: one segment, a `.shared` section, two symbols.
struct ELFFixture {
    var type: UInt16 = 2
    var machine: UInt16 = 62
    var entry: UInt64 = 0x10_0000
    var address: UInt64 = 0x10_0000
    var memorySize: UInt64 = 0x3000
    var sharedAddress: UInt64 = 0x10_1000
    var sharedSize: UInt64 = 0x800
    /// Further program headers.
    var headers: [Header] = []
    /// A static-pie's relocations, put at offset 0x80 of the segment: offset, type, addend.
    var relocations: [(offset: UInt64, type: UInt64, addend: UInt64)] = []
    var dynamic: [(tag: UInt64, value: UInt64)] = []

    struct Header {
        var type: UInt32
        var offset: UInt64 = 0
        var address: UInt64 = 0
        /// In the file.
        var size: UInt64 = 0
        /// In memory; `nil`: as many bytes as in the file.
        var memorySize: UInt64?
    }

    private static let codeOffset: UInt64 = 0x400
    private static let codeSize: UInt64 = 0x200

    var bytes: [UInt8] {
        let dynamicOffset = Self.codeOffset + 0x180
        var all = [
            Header(
                type: 1, offset: Self.codeOffset, address: address, size: Self.codeSize,
                memorySize: memorySize)
        ]
        if !dynamic.isEmpty {
            all.append(
                Header(type: 2, offset: dynamicOffset, size: UInt64(dynamic.count) * 16 + 16))
        }
        all += headers
        var file = Bytes(count: 0x1000)
        file.put([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], at: 0)
        file.put(type, at: 16)
        file.put(machine, at: 18)
        file.put(entry, at: 24)
        file.put(UInt64(64), at: 32)
        file.put(UInt64(0x800), at: 40)
        for (index, value) in [64, 56, UInt16(all.count), 64, 5, 4].enumerated() {
            file.put(value, at: 52 + UInt64(index) * 2)
        }
        for (index, header) in all.enumerated() {
            let offset = 64 + UInt64(index) * 56
            file.put(header.type, at: offset)
            for (field, value) in [
                (8, header.offset), (16, header.address), (24, header.address &+ 0x55_0000),
                (32, header.size), (40, header.memorySize ?? header.size),
            ] as [(UInt64, UInt64)] { file.put(value, at: offset + field) }
        }
        file.put([0x90, 0xc3], at: Self.codeOffset)
        for (index, entry) in relocations.enumerated() {
            let offset = Self.codeOffset + 0x80 + UInt64(index) * 24
            for (field, value) in [entry.offset, entry.type, entry.addend].enumerated() {
                file.put(value, at: offset + UInt64(field) * 8)
            }
        }
        for (index, entry) in dynamic.enumerated() {
            file.put(entry.tag, at: dynamicOffset + UInt64(index) * 16)
            file.put(entry.value, at: dynamicOffset + UInt64(index) * 16 + 8)
        }
        putSections(in: &file)
        return file.bytes
    }

    /// Sections: none, `.text`, `.shared`, symbols, and one table for all names.
    private func putSections(in file: inout Bytes) {
        file.put(Array("\0.text\0.shared\0.symtab\0.strtab\0guest_code\0late\0".utf8), at: 0xc00)
        putSection(
            1, name: 1, type: 1, flags: 6, address, Self.codeOffset, Self.codeSize, in: &file)
        putSection(
            2, name: 7, type: 8, flags: 3, sharedAddress, 0, sharedSize, in: &file)
        putSection(3, name: 15, type: 2, flags: 0, 0, 0xd00, 96, link: 4, in: &file)
        putSection(4, name: 23, type: 3, flags: 0, 0, 0xc00, 64, in: &file)
        let symbols: [(UInt32, UInt8, UInt16, UInt64, UInt64)] = [
            (31, 0x12, 1, entry, 2), (42, 0x11, 2, sharedAddress, 8), (31, 0x12, 0, 0x999, 0),
        ]
        for (index, symbol) in symbols.enumerated() {
            let offset = 0xd18 + UInt64(index) * 24
            file.put(symbol.0, at: offset)
            file.put(symbol.1, at: offset + 4)
            file.put(symbol.2, at: offset + 6)
            file.put(symbol.3, at: offset + 8)
            file.put(symbol.4, at: offset + 16)
        }
    }

    private func putSection(
        _ index: UInt64, name: UInt32, type: UInt32, flags: UInt64, _ address: UInt64,
        _ offset: UInt64, _ size: UInt64, link: UInt32 = 0, in file: inout Bytes
    ) {
        let header = 0x800 + index * 64
        file.put(name, at: header)
        file.put(type, at: header + 4)
        file.put(flags, at: header + 8)
        file.put(address, at: header + 16)
        file.put(offset, at: header + 24)
        file.put(size, at: header + 32)
        file.put(link, at: header + 40)
    }
}

/// Bytes with numbers in them.
private struct Bytes {
    var bytes: [UInt8]

    init(count: Int) { bytes = [UInt8](repeating: 0, count: count) }

    mutating func put(_ new: [UInt8], at offset: UInt64) {
        bytes.replaceSubrange(Int(offset)..<Int(offset) + new.count, with: new)
    }
    mutating func put(_ value: some FixedWidthInteger, at offset: UInt64) {
        put(
            (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) },
            at: offset)
    }
}
