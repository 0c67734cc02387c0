internal import SystemPackage

/// Memory of this process that a VM gets for its RAM, unmapped with this value.
///
/// Unsafe: a mapping is a pointer; every access is checked against its size.
@safe
struct PlainMemory: ~Copyable {
    let start: UnsafeMutableRawPointer
    /// Bytes.
    let count: Int
    private let syscalls: any KVMSyscalls

    init(count: Int, _ syscalls: any KVMSyscalls) throws(KVMError) {
        do throws(Errno) {
            unsafe start = try syscalls.map(anonymousMemory, count: count)
        } catch { throw .failed(call: "mmap", on: "the guest's \(count >> 20) MiB", error) }
        (self.count, self.syscalls) = (count, syscalls)
    }

    deinit { unsafe syscalls.unmap(start, count: count) }

    func contains(_ address: UInt64, count bytes: Int) -> Bool {
        bytes >= 0 && address <= UInt64(count) && UInt64(bytes) <= UInt64(count) - address
    }

    /// A copy of bytes; `nil` where not all are inside.
    func read(_ address: UInt64, count bytes: Int) -> [UInt8]? {
        guard contains(address, count: bytes) else { return nil }
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start + Int(address), count: bytes))
    }

    /// - Returns: false, with nothing written, where not all bytes are inside.
    func write(_ bytes: [UInt8], to address: UInt64) -> Bool {
        guard contains(address, count: bytes.count) else { return false }
        unsafe (start + Int(address)).copyMemory(from: bytes, byteCount: bytes.count)
        return true
    }
}
