/// Memory that the struct of an ioctl points to, for the time of the call.
///
/// Unsafe: hands out the address.
enum LentBytes {
    /// Lends bytes to a call, and returns what they are afterwards.
    static func lend(
        _ bytes: [UInt8], _ body: (UnsafeMutableRawPointer) throws(KVMError) -> Void
    ) throws(KVMError) -> [UInt8] {
        let place = UnsafeMutableRawPointer.allocate(byteCount: max(bytes.count, 1), alignment: 16)
        defer { unsafe place.deallocate() }
        unsafe place.copyMemory(from: bytes, byteCount: bytes.count)
        unsafe try body(place)
        return unsafe [UInt8](UnsafeRawBufferPointer(start: place, count: bytes.count))
    }
}
