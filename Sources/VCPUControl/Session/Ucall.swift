/// A `struct ucall` of the KVM selftests, as a guest hands it over at port 0x1000.
///
/// Source: Linux, tools/testing/selftests/kvm/include/ucall_common.h: `cmd`, seven `args`, 1024
/// bytes of `buffer`.
struct Ucall: Equatable {
    enum Number: UInt64 {
        case none, sync, abort, printf, done, unhandled
    }

    var number: UInt64
    var arguments: [UInt64]
    /// Up to the first NUL.
    var text: [UInt8]

    static let argumentCount = 7
    private static let textOffset = 8 + 8 * argumentCount
    /// What has to be readable: without the buffer, which old guests do not have.
    static let leastSize = textOffset
    static let size = textOffset + 1024

    /// - Parameter bytes: at least `leastSize` bytes; hostile.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.leastSize else { return nil }
        number = UInt64(littleEndian: bytes[0..<8])
        arguments = (1...Self.argumentCount).map {
            UInt64(littleEndian: bytes[8 * $0..<8 * $0 + 8])
        }
        text = Array(bytes[Self.textOffset...].prefix { $0 != 0 })
    }

    /// What the console shows; `string` reads a text of the guest by its address.
    func console(string: (UInt64) -> [UInt8]?) -> [UInt8] {
        switch Number(rawValue: number) {
        case .printf: return text
        case .sync: return line("SYNC \(arguments[1])")
        case .done: return line("DONE")
        case .abort: return line("ABORT ") { abortText(string) }
        case .some, nil: return line("unknown ucall \(number)")
        }
    }

    /// The formatted message, or the parts that `GUEST_ASSERT` passes: expression, file and line.
    private func abortText(_ string: (UInt64) -> [UInt8]?) -> [UInt8] {
        guard text.isEmpty else { return text }
        let unreadable = Array("(unreadable)".utf8)
        let parts = (string(arguments[0]) ?? unreadable, string(arguments[1]) ?? unreadable)
        return parts.0 + " at ".utf8 + parts.1 + ":\(arguments[2])".utf8
    }

    private func line(_ title: String, _ rest: () -> [UInt8] = { [] }) -> [UInt8] {
        "ucall \(title)".utf8 + rest() + "\n".utf8
    }
}
