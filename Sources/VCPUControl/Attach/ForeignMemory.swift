internal import CKVM

/// The memory of another process, by address: process_vm_readv(2).
///
/// Unsafe: hands the bytes of arrays to system calls for the time of one call.
struct ForeignMemory: Sendable {
    let process: Int32

    /// - Returns: `nil` unless all bytes can be read.
    func read(_ address: UInt64, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = unsafe bytes.withUnsafeMutableBytes {
            unsafe ckvm_read_process(process, address, $0.baseAddress, count)
        }
        return result == 0 ? bytes : nil
    }

    /// - Returns: whether all bytes were written.
    func write(_ bytes: [UInt8], to address: UInt64) -> Bool {
        unsafe bytes.withUnsafeBytes {
            unsafe ckvm_write_process(process, address, $0.baseAddress, $0.count)
        } == 0
    }
}
