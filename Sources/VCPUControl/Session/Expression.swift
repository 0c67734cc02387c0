/// An expression over numbers, registers, symbols and guest memory, as gdb users write it.
package indirect enum Expression: Sendable, Equatable {
    case number(Value)
    case register(NamedRegister, name: String)
    case symbol(String)
    /// `$N`: a value that `print` has shown; `nil` is the last one.
    case history(Int?)
    /// `{u32} ADDR`: what is in memory there.
    case memory(MemoryUnit, Expression)
    case unary(Unary, Expression)
    case binary(Binary, Expression, Expression)

    /// 64 bits, and whether they are compared as a signed number.
    package struct Value: Sendable, Equatable {
        package var bits: UInt64
        package var isSigned: Bool

        package init(_ bits: UInt64, isSigned: Bool = false) {
            self.bits = bits
            self.isSigned = isSigned
        }
    }

    package enum Unary: String, CaseIterable, Sendable {
        case minus = "-"
        case complement = "~"
        case not = "!"
    }

    package enum Binary: String, CaseIterable, Sendable {
        case or = "||"
        case and = "&&"
        case bitOr = "|"
        case bitXor = "^"
        case bitAnd = "&"
        case equal = "=="
        case notEqual = "!="
        case lessOrEqual = "<="
        case greaterOrEqual = ">="
        case shiftLeft = "<<"
        case shiftRight = ">>"
        case less = "<"
        case greater = ">"
        case plus = "+"
        case minus = "-"
        case times = "*"
        case divide = "/"
        case remainder = "%"

        /// C's precedence: the higher binds first.
        var precedence: Int {
            switch self {
            case .or: 1
            case .and: 2
            case .bitOr: 3
            case .bitXor: 4
            case .bitAnd: 5
            case .equal, .notEqual: 6
            case .less, .lessOrEqual, .greater, .greaterOrEqual: 7
            case .shiftLeft, .shiftRight: 8
            case .plus, .minus: 9
            case .times, .divide, .remainder: 10
            }
        }
    }

    /// Whether the value is the same whatever the guest does.
    package var isConstant: Bool {
        switch self {
        case .number, .symbol: true
        case .register, .history, .memory: false
        case .unary(_, let operand): operand.isConstant
        case .binary(_, let left, let right): left.isConstant && right.isConstant
        }
    }
}

/// The size of a unit of memory, in gdb's letters and in those of the `set` command.
package enum MemoryUnit: Int, CaseIterable, Sendable {
    case byte = 1
    case half = 2
    case word = 4
    case giant = 8

    /// `u8`, `u16`, `u32` or `u64`.
    package init?(type: String) {
        guard let unit = Self.allCases.first(where: { $0.type == type }) else { return nil }
        self = unit
    }

    /// `b`, `h`, `w` or `g`.
    package init?(letter: Character) {
        guard let unit = Self.allCases.first(where: { $0.letter == letter }) else { return nil }
        self = unit
    }

    package var type: String { "u\(rawValue * 8)" }

    package var letter: Character {
        switch self {
        case .byte: "b"
        case .half: "h"
        case .word: "w"
        case .giant: "g"
        }
    }
}
