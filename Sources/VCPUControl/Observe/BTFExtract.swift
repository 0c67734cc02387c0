/// Some types out of BTF with all that they are made of, as BTF of their own.
///
/// Nothing is followed through a pointer, for no field is reached through one: all point to `void`.
///
/// Unsafe: copies words as bytes.
struct BTFExtract {
    private var words: [UInt32] = []
    private var strings: [UInt8] = [0]
    private var offsets: [ArraySlice<UInt8>: UInt32] = [[]: 0]
    private var count: UInt32 = 0
    /// The numbers here of types there.
    private var numbers: [Int: UInt32] = [:]
    /// Types that have a number and are not copied yet, in the order of their numbers.
    private var waiting: [Int] = []

    /// Copies types.
    ///
    /// - Parameters:
    ///   - types: their numbers.
    ///   - source: where they are.
    ///   - base: the kernel's types, where the source is a module.
    mutating func add(_ types: [Int], of source: BTF, behind base: BTF? = nil) {
        // The types of each module have the same numbers.
        if base != nil { numbers = numbers.filter { $0.key < source.firstType } }
        let tables = Tables(source: source, base: base ?? source)
        for type in types { _ = number(UInt32(type)) }
        var next = 0
        while next < waiting.count {
            copy(waiting[next], tables)
            next += 1
        }
        waiting = []
    }

    /// The bytes of a file.
    var file: [UInt8] {
        let size = UInt32(words.count * 4)
        let header = [
            UInt32(BTF.magic) | 1 << 16, UInt32(BTF.headerSize), 0, size, size,
            UInt32(strings.count),
        ]
        return unsafe (header + words).withUnsafeBytes { unsafe Array($0) } + strings
    }

    /// A table, and the one that its numbers begin behind.
    private struct Tables {
        let source, base: BTF

        func words(of type: Int) -> [UInt32] {
            let owner = type < source.firstType ? base : source
            return owner.words(at: owner.places[type - owner.firstType])
        }

        func string(at offset: UInt32) -> ArraySlice<UInt8> {
            (offset < source.firstString ? base : source).string(at: offset)
        }
    }

    private mutating func number(_ type: UInt32) -> UInt32 {
        if type == 0 { return 0 }
        if let known = numbers[Int(type)] { return known }
        count += 1
        numbers[Int(type)] = count
        waiting.append(Int(type))
        return count
    }

    private mutating func copy(_ type: Int, _ tables: Tables) {
        var copy = tables.words(of: type)
        let kind = BTF.Kind(of: copy[1])
        func rename(_ index: Int) { copy[index] = string(copy[index], tables) }
        rename(0)
        switch kind {
        case .pointer: copy[2] = 0
        case .typedef, .volatile, .const, .restrict, .typeTag: copy[2] = number(copy[2])
        case .array: (copy[3], copy[4]) = (number(copy[3]), number(copy[4]))
        case .structure, .union:
            for member in stride(from: 3, to: copy.count, by: 3) {
                rename(member)
                copy[member + 1] = number(copy[member + 1])
            }
        case .enumeration, .wideEnumeration:
            for member in stride(from: 3, to: copy.count, by: kind?.memberSize ?? 2) {
                rename(member)
            }
        case .integer, .float, .forward: break
        // No part of a type.
        default: copy = [copy[0], BTF.Kind.forward.rawValue << 24, 0]
        }
        words += copy
    }

    private mutating func string(_ offset: UInt32, _ tables: Tables) -> UInt32 {
        let text = tables.string(at: offset)
        if let known = offsets[text] { return known }
        let new = UInt32(strings.count)
        strings += text + [0]
        offsets[text] = new
        return new
    }
}
