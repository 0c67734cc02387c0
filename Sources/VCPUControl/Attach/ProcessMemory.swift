internal import CKVM
internal import Glibc

/// The memory of a traced process, read-only pages included: /proc/PID/mem.
///
/// Unsafe: hands the bytes of arrays and structs to system calls for the time of one call.
final class ProcessMemory {
    private let descriptor: Int32

    init(_ process: Int32) throws(TraceFailure) {
        descriptor = ckvm_open_memory(process)
        guard descriptor >= 0 else {
            throw .refused("cannot open the memory of process \(process): errno \(-descriptor)")
        }
    }

    deinit { _ = close(descriptor) }

    func read(_ address: UInt64, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = unsafe bytes.withUnsafeMutableBytes {
            unsafe ckvm_pread(descriptor, address, $0.baseAddress, count)
        }
        return result == 0 ? bytes : nil
    }

    func write(_ bytes: [UInt8], to address: UInt64) throws(TraceFailure) {
        let result = unsafe bytes.withUnsafeBytes {
            unsafe ckvm_pwrite(descriptor, address, $0.baseAddress, $0.count)
        }
        guard result == 0 else {
            throw .refused("cannot write at \(address.hex) of the VMM: errno \(-result)")
        }
    }

    /// Zeros behind the code of some file, where nothing is executed: room for a first system call.
    func findCave(in mappings: [ForeignMapping]) throws(TraceFailure) -> UInt64 {
        let size = InjectedCode.caveSize
        for mapping in mappings {
            guard mapping.permissions == "r-xp", !mapping.name.hasPrefix("["),
                mapping.range.count >= size
            else { continue }
            let start = mapping.range.upperBound - UInt64(size)
            guard let bytes = read(start, count: size) else { continue }
            // Or what a tracer has left that was killed in the middle of it.
            let isOurs = bytes.starts(with: InjectedCode.caveCode)
            if isOurs || bytes.allSatisfy({ $0 == 0 }) { return start }
        }
        throw .refused(
            "the VMM has no room for injected code: no mapping of code ends with \(size) zeros;"
                + " use `sevdbg attach --observe`")
    }
}

/// Pages that a tracer left in a VMM when it was killed.
struct Leftover: Equatable {
    /// The descriptor of the vCPU whose thread executed the code: numbers are a VM's, not the VMM's.
    var owner: Int32
    var code: UInt64
    var scratch: UInt64
}

extension ProcessMemory {
    /// More than killed tracers leave: each vCPU uses what is there.
    private static let mostPages = 1024

    /// Looks for pages of this version's code.
    func leftovers(in mappings: [ForeignMapping]) -> [Leftover] {
        let pages = mappings.filter { $0.permissions == "r-xp" && $0.name.isEmpty }
            .flatMap { stride(from: $0.range.lowerBound, to: $0.range.upperBound, by: 4096) }
        return pages.prefix(Self.mostPages).compactMap(leftover)
    }

    private func leftover(_ page: UInt64) -> Leftover? {
        let (layout, code) = (InjectedCode.layout, InjectedCode.stub)
        guard let bytes = read(page, count: code.count),
            bytes.prefix(layout.data) == code.prefix(layout.data)
        else { return nil }
        let data = ForeignMachine.value(
            of: Array(bytes.dropFirst(layout.data)), ckvm_attach_stub())
        return Leftover(
            owner: Int32(truncatingIfNeeded: data.owner), code: page, scratch: data.scratch)
    }
}

/// The code of CKVM/attach/stub.S as bytes.
enum InjectedCode {
    static let layout = ckvm_attach_layout()

    static let stub = bytes(0..<layout.size)

    /// What one first system call takes, with room to spare.
    static let caveSize = 128

    static let caveCode = bytes(layout.size..<layout.size + layout.cave_data)

    /// The code that makes one system call and goes on with the VMM's own.
    static func cave(_ data: ckvm_attach_cave) -> [UInt8] {
        let all = caveCode + raw(data)
        return all + [UInt8](repeating: 0, count: max(0, caveSize - all.count))
    }

    /// The bytes of a struct of C.
    static func raw<Value>(_ value: Value) -> [UInt8] {
        unsafe withUnsafeBytes(of: value) { unsafe Array($0) }
    }

    private static func bytes(_ range: Range<Int>) -> [UInt8] { range.map { ckvm_attach_code($0) } }
}
