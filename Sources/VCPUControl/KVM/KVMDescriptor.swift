internal import CKVM
internal import SystemPackage

/// An open descriptor of KVM, closed with this value.
///
/// Unsafe: hands the addresses of C structs to ioctls for the time of one call.
struct KVMDescriptor: ~Copyable {
    let number: Int32
    /// What the descriptor stands for in messages: `vCPU 0`.
    let subject: String
    let syscalls: any KVMSyscalls

    deinit { syscalls.close(number) }

    /// Makes an ioctl without a struct, or with one that the caller keeps.
    @discardableResult
    func perform(_ call: ckvm_call) throws(KVMError) -> Int32 {
        do throws(Errno) {
            return unsafe try persist(call)
        } catch {
            throw .failed(call: unsafe String(cString: call.name), on: subject, error)
        }
    }

    /// Makes an ioctl again that a signal has ended: those that end `KVM_RUN` may come to others, too.
    private func persist(_ call: ckvm_call) throws(Errno) -> Int32 {
        for _ in 0..<Self.patience {
            do throws(Errno) {
                return unsafe try syscalls.ioctl(number, call)
            } catch { guard error == .interrupted else { throw error } }
        }
        throw .interrupted
    }

    /// Signals that a call may outlast.
    private static let patience = 100

    /// Makes an ioctl with a struct, and returns the struct as KVM leaves it.
    @discardableResult
    func exchange<Value>(
        _ call: (UnsafeMutablePointer<Value>?) -> ckvm_call, _ value: Value
    ) throws(KVMError) -> Value {
        var value = value
        try unsafe withUnsafeMutablePointer(to: &value) { pointer throws(KVMError) in
            _ = unsafe try perform(call(pointer))
        }
        return value
    }

    /// Makes an ioctl with a struct that has entries behind it.
    ///
    /// `header` makes the struct for a number of entries, `count` reads how many there are when KVM
    /// is done. Returns what the ioctl returns, and the entries as KVM leaves them.
    func exchange<Header, Entry>(
        _ call: (UnsafeMutablePointer<Header>?) -> ckvm_call, _ entries: [Entry],
        header: (UInt32) -> Header, count: (Header) -> UInt32
    ) throws(KVMError) -> (result: Int32, entries: [Entry]) {
        let size = MemoryLayout<Header>.size + entries.count * MemoryLayout<Entry>.stride
        let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
        defer { unsafe block.deallocate() }
        let start = unsafe block.bindMemory(to: Header.self, capacity: 1)
        unsafe start.initialize(to: header(UInt32(entries.count)))
        let tail = unsafe (block + MemoryLayout<Header>.size)
            .bindMemory(to: Entry.self, capacity: entries.count)
        for (index, entry) in entries.enumerated() {
            unsafe (tail + index).initialize(to: entry)
        }
        let result = unsafe try perform(call(start))
        let left = min(Int(unsafe count(start.pointee)), entries.count)
        return (result, (0..<left).map { unsafe tail[$0] })
    }
}
