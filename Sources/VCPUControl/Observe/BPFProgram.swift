/// A BPF program as clang made it, embedded when sevdbg was built.
struct BPFProgram: Sendable {
    let name: String
    /// Why there is none; empty where there is.
    let reason: String
    private let hexadecimal: String

    init(name: String, reason: String, hexadecimal: String) {
        (self.name, self.reason, self.hexadecimal) = (name, reason, hexadecimal)
    }

    /// The ELF object; empty where clang could not make it.
    var object: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(hexadecimal.utf8.count / 2)
        var high: UInt8?
        for digit in hexadecimal.utf8 {
            let value = digit < UInt8(ascii: "a") ? digit & 0xf : digit - UInt8(ascii: "a") + 10
            if let first = high { bytes.append(first << 4 | value) }
            high = high == nil ? value : nil
        }
        return bytes
    }
}
