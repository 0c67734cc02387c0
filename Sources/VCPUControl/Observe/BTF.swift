/// The types of a kernel, of a module or of a BPF program; linux/btf.h.
///
/// Unsafe: loads words wherever they lie in the bytes, inside their bounds.
struct BTF {
    private let file: [UInt8]
    private let strings: Range<Int>
    /// Where the `struct btf_type` of each type is in the file, in the order of their numbers.
    let places: [Int32]
    /// The number of the first type, and the offset of the first string: those of a module go on where
    /// the kernel's end.
    let firstType, firstString: Int

    /// `BTF_KIND_…`.
    enum Kind: UInt32 {
        case integer = 1
        case pointer, array, structure, union, enumeration, forward, typedef, volatile, const
        case restrict, function, prototype, variable, section, float, declarationTag, typeTag
        case wideEnumeration

        /// Takes the second word of a type.
        init?(of info: UInt32) { self.init(rawValue: info >> 24 & 0x1f) }

        /// How many words one of its members takes, or 0.
        var memberSize: Int {
            switch self {
            case .structure, .union, .section, .wideEnumeration: 3
            case .enumeration, .prototype: 2
            default: 0
            }
        }

        /// How many words follow the first three of a type with so many members.
        fileprivate func rest(_ members: Int) -> Int {
            switch self {
            case .integer, .variable, .declarationTag: 1
            case .array: 3
            default: members * memberSize
            }
        }
    }

    static let magic: UInt16 = 0xeb9f
    static let headerSize = 24

    /// Takes a file of them; `nil` where it is no BTF, or has kinds of types that are not known.
    ///
    /// - Parameters:
    ///   - file: the bytes.
    ///   - base: the kernel's types, for those of a module.
    init?(_ file: [UInt8], behind base: BTF? = nil) {
        guard let sections = Self.sections(of: file),
            let places = Self.places(of: sections.types, in: file)
        else { return nil }
        (self.file, strings, self.places) = (file, sections.strings, places)
        firstType = base.map { $0.firstType + $0.places.count } ?? 1
        firstString = base.map { $0.firstString + $0.strings.count } ?? 0
    }

    private static func sections(
        of file: [UInt8]
    ) -> (types: Range<Int>, strings: Range<Int>)? {
        let bytes = LittleEndianBytes(file)
        guard bytes.load(UInt16.self, at: 0) == magic else { return nil }
        let fields = stride(from: UInt64(4), to: 24, by: 4).compactMap {
            bytes.load(UInt32.self, at: $0).map(Int.init)
        }
        guard fields.count == 5 else { return nil }
        func section(_ offset: Int, _ size: Int) -> Range<Int>? {
            let start = fields[0] + offset
            return start + size <= file.count ? start..<start + size : nil
        }
        guard let types = section(fields[1], fields[2]),
            let strings = section(fields[3], fields[4]), file[strings].last == 0
        else { return nil }
        return (types, strings)
    }

    private static func places(of types: Range<Int>, in file: [UInt8]) -> [Int32]? {
        var places: [Int32] = []
        places.reserveCapacity(types.count / 20)
        var place = types.lowerBound
        while place + 12 <= types.upperBound {
            let info = word(place + 4, file)
            guard let kind = Kind(of: info) else { return nil }
            places.append(Int32(place))
            place += 12 + 4 * kind.rest(Int(info & 0xffff))
        }
        return place == types.upperBound ? places : nil
    }

    @inline(__always)
    private static func word(_ place: Int, _ file: [UInt8]) -> UInt32 {
        unsafe file.span.bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt32.self)
    }

    /// The kind of the type at a place.
    func kind(at place: Int32) -> Kind? { Kind(of: Self.word(Int(place) + 4, file)) }

    /// The words of the type at a place: its name, its kind, its size or target, and what its kind has.
    func words(at place: Int32) -> [UInt32] {
        let rest = kind(at: place)?.rest(Int(Self.word(Int(place) + 4, file) & 0xffff)) ?? 0
        return (0..<3 + rest).map { Self.word(Int(place) + $0 * 4, file) }
    }

    /// Where the name of the type at a place starts in the file; `nil` where it is the kernel's string.
    private func name(at place: Int32) -> Int? {
        let start = strings.lowerBound + Int(Self.word(Int(place), file)) - firstString
        return strings.contains(start) ? start : nil
    }

    /// The first byte of the name of the type at a place; 0 where it has none.
    func initial(at place: Int32) -> UInt8 { name(at: place).map { file[$0] } ?? 0 }

    /// Whether the type at a place has this name.
    func isNamed(_ text: [UInt8], at place: Int32) -> Bool {
        guard let start = name(at: place), start + text.count < file.count,
            file[start + text.count] == 0
        else { return false }
        for index in text.indices where file[start + index] != text[index] { return false }
        return true
    }

    /// The string at an offset; empty where it is another table's.
    func string(at offset: UInt32) -> ArraySlice<UInt8> {
        let start = strings.lowerBound + Int(offset) - firstString
        guard strings.contains(start) else { return [] }
        return file[start..<strings.upperBound].prefix { $0 != 0 }
    }

    /// The number of the function with a name.
    func function(_ name: String) -> UInt32? {
        let name = Array(name.utf8)
        return places.firstIndex { kind(at: $0) == .function && isNamed(name, at: $0) }
            .map { UInt32($0 + firstType) }
    }
}
