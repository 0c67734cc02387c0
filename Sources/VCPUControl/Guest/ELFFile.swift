/// The headers of an ELF64 file for x86-64, each field checked against the file.
///
/// ELF-64 Object File Format 1.5; System V ABI, AMD64 supplement.
struct ELFFile {
    /// A program header.
    struct ProgramHeader {
        var type: UInt32
        var offset, address, fileSize, memorySize: UInt64

        static let load: UInt32 = 1
        static let dynamic: UInt32 = 2
        static let interpreter: UInt32 = 3
    }

    /// A section header.
    struct SectionHeader {
        var name: String
        var type: UInt32
        var flags, address, offset, size: UInt64
        var link: UInt32

        static let symbolTable: UInt32 = 2
        static let noBits: UInt32 = 8
        /// The section takes up memory while the program runs.
        var isAllocated: Bool { flags & 2 != 0 }
    }

    static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]

    let bytes: LittleEndianBytes
    let isPositionIndependent: Bool
    let entry: UInt64
    let programHeaders: [ProgramHeader]
    let sections: [SectionHeader]

    init(_ file: [UInt8]) throws(ELFError) {
        let bytes = LittleEndianBytes(file)
        self.bytes = bytes
        isPositionIndependent = try Self.checkIdentity(bytes)
        guard let entry = bytes.load(UInt64.self, at: 24) else { throw .truncated("header") }
        self.entry = entry
        programHeaders = try Self.programHeaders(bytes)
        sections = try Self.sections(bytes)
    }

    /// - Returns: whether the file is of type ET_DYN.
    private static func checkIdentity(_ bytes: LittleEndianBytes) throws(ELFError) -> Bool {
        guard let identity = bytes.slice(at: 0, count: 64).map(Array.init) else {
            throw .truncated("header")
        }
        guard identity.starts(with: magic) else { throw .damaged("it has no ELF magic") }
        guard identity[4] == 2 else {
            throw .unsupported("is a 32-bit ELF file: build the guest for x86-64 (-m64)")
        }
        guard identity[5] == 1 else {
            throw .unsupported("is a big-endian ELF file: build the guest for x86-64")
        }
        let machine = UInt16(littleEndianBytes: identity[18..<20])
        guard machine == 62 else {
            throw .unsupported("is for another machine (\(machine)): build the guest for x86-64")
        }
        switch UInt16(littleEndianBytes: identity[16..<18]) {
        case 2: return false
        case 3: return true
        case 1:
            throw .unsupported(
                "is an object file: link it (ld.lld -static -Ttext=0x100000 -e guest_code)")
        case let type:
            throw .unsupported(
                "is no executable (ELF type \(type)): link the guest statically, without libraries")
        }
    }

    private static func programHeaders(
        _ bytes: LittleEndianBytes
    ) throws(ELFError) -> [ProgramHeader] {
        let count = bytes.load(UInt16.self, at: 56) ?? 0
        guard count > 0 else {
            throw .unsupported("has no program headers, so nothing to load: link it")
        }
        guard count < 0xffff else { throw .damaged("it has more program headers than can be") }
        guard bytes.load(UInt16.self, at: 54) == 56 else {
            throw .damaged("its program headers do not have 56 bytes")
        }
        let start = bytes.load(UInt64.self, at: 32) ?? 0
        var headers: [ProgramHeader] = []
        for index in 0..<UInt64(count) {
            guard let header = ProgramHeader(bytes, at: start &+ index &* 56) else {
                throw .truncated("program headers")
            }
            headers.append(header)
        }
        return headers
    }

    static func sections(_ bytes: LittleEndianBytes) throws(ELFError) -> [SectionHeader] {
        let start = bytes.load(UInt64.self, at: 40) ?? 0
        let count = bytes.load(UInt16.self, at: 60) ?? 0
        guard start != 0, count != 0 else { return [] }
        guard bytes.load(UInt16.self, at: 58) == 64 else {
            throw .damaged("its section headers do not have 64 bytes")
        }
        let names = UInt64(bytes.load(UInt16.self, at: 62) ?? 0)
        guard let nameTable = bytes.load(UInt64.self, at: start &+ names &* 64 &+ 24) else {
            throw .truncated("section headers")
        }
        var headers: [SectionHeader] = []
        for index in 0..<UInt64(count) {
            let offset = start &+ index &* 64
            guard let header = SectionHeader(bytes, at: offset, names: nameTable) else {
                throw .truncated("section headers")
            }
            headers.append(header)
        }
        return headers
    }
}

extension ELFFile.ProgramHeader {
    /// `nil` where the header is not in the file.
    fileprivate init?(_ bytes: LittleEndianBytes, at offset: UInt64) {
        guard let header = bytes.slice(at: offset, count: 56).map({ LittleEndianBytes(Array($0)) }),
            let type = header.load(UInt32.self, at: 0),
            let offset = header.load(UInt64.self, at: 8),
            let address = header.load(UInt64.self, at: 16),
            let fileSize = header.load(UInt64.self, at: 32),
            let memorySize = header.load(UInt64.self, at: 40)
        else { return nil }
        self.init(
            type: type, offset: offset, address: address, fileSize: fileSize,
            memorySize: memorySize)
    }
}

extension ELFFile.SectionHeader {
    /// Names longer than any that matters here are cut.
    private static let nameLimit = 64

    /// `nil` where the header or its name is not in the file.
    fileprivate init?(_ bytes: LittleEndianBytes, at offset: UInt64, names: UInt64) {
        guard let header = bytes.slice(at: offset, count: 64).map({ LittleEndianBytes(Array($0)) }),
            let nameOffset = header.load(UInt32.self, at: 0),
            let name = bytes.text(at: names &+ UInt64(nameOffset), limit: Self.nameLimit),
            let type = header.load(UInt32.self, at: 4),
            let flags = header.load(UInt64.self, at: 8),
            let address = header.load(UInt64.self, at: 16),
            let offset = header.load(UInt64.self, at: 24),
            let size = header.load(UInt64.self, at: 32),
            let link = header.load(UInt32.self, at: 40)
        else { return nil }
        self.init(
            name: name, type: type, flags: flags, address: address, offset: offset, size: size,
            link: link)
    }
}
