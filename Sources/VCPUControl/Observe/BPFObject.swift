internal import CBPF
import Glibc

/// A BPF object in the kernel, with its programs and maps; its end detaches and unloads them.
///
/// Unsafe: libbpf's handle is used here only, and closed once.
@safe
struct BPFObject: ~Copyable {
    private let handle: OpaquePointer

    /// Loads a program.
    ///
    /// - Parameters:
    ///   - program: what clang made.
    ///   - constants: what the program has to know.
    ///   - threads: how many counters the map `threads` gets, a power of two; `nil` where the program
    ///     has no such map.
    /// - Throws: `noBPF` with the reason.
    init(
        _ program: BPFProgram, _ constants: observe_constants, threads: UInt32? = nil
    ) throws(ObserveError) {
        let bytes = program.object
        guard !bytes.isEmpty else {
            throw .noBPF(
                "this build has no BPF program: \(program.reason); build it with the Swift"
                    + " toolchain's clang and libbpf-dev")
        }
        let handle = unsafe Self.open(bytes, KernelTypes(of: bytes))
        guard let handle = unsafe handle else { throw .refused(0) }
        let status = unsafe Self.load(handle, constants, threads)
        guard status == 0 else {
            let error = ObserveError.refused(-status)
            unsafe cbpf_close(handle)
            throw error
        }
        unsafe self.handle = handle
    }

    private static func open(_ object: [UInt8], _ types: KernelTypes?) -> OpaquePointer? {
        unsafe object.withUnsafeBytes { object in
            guard let types else { return unsafe cbpf_open(object.baseAddress, object.count, nil) }
            return unsafe types.file.withUnsafeBytes { file in
                var types = unsafe cbpf_types(
                    bytes: file.baseAddress, size: file.count, iterator: types.iterator)
                return unsafe cbpf_open(object.baseAddress, object.count, &types)
            }
        }
    }

    private static func load(
        _ handle: OpaquePointer, _ constants: observe_constants, _ threads: UInt32?
    ) -> Int32 {
        var constants = constants
        var status = unsafe cbpf_set_constants(handle, &constants)
        if status == 0, let threads { status = unsafe cbpf_resize(handle, "threads", threads) }
        return status == 0 ? unsafe cbpf_load(handle) : status
    }

    deinit { unsafe cbpf_close(handle) }

    /// What `attach` returns and `detach` takes, once.
    struct Link { fileprivate var number: Int32 }

    /// Attaches a program where its section says.
    @discardableResult
    func attach(_ program: String) throws(ObserveError) -> Link {
        let number = unsafe cbpf_attach(handle, program)
        guard number >= 0 else { throw .refused(-number) }
        return Link(number: number)
    }

    func detach(_ link: Link) { unsafe cbpf_detach(handle, link.number) }

    /// What an iterator says of one process.
    func records(of program: String, process: Int32) throws(ObserveError) -> [UInt8] {
        let descriptor = unsafe cbpf_iterate(handle, program, process)
        guard descriptor >= 0 else { throw .refused(-descriptor) }
        defer { _ = close(descriptor) }
        var all: [UInt8] = []
        while true {
            var failure: Int32 = 0
            // The buffer is the array's own; `read` says how much of it is filled.
            let part = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 15) { buffer, count in
                let result = unsafe read(descriptor, buffer.baseAddress, buffer.count)
                if result < 0 { failure = errno }
                count = max(result, 0)
            }
            guard failure == 0 || failure == EINTR || failure == EAGAIN else {
                throw .refused(failure)
            }
            guard failure == 0 else { continue }
            guard !part.isEmpty else { return all }
            all += part
        }
    }

    /// Runs a program once, as if its tracepoint had these arguments.
    func test(_ program: String, arguments: [UInt64]) throws(ObserveError) {
        let status = unsafe arguments.withUnsafeBufferPointer {
            unsafe cbpf_test(handle, program, $0.baseAddress, $0.count)
        }
        guard status == 0 else { throw .refused(-status) }
    }

    /// A copy of the counters of one thread; `nil` behind the last one.
    func counters(at index: UInt32) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: Int(CBPF_COUNTERS_SIZE))
        let status = unsafe value.withUnsafeMutableBytes {
            unsafe cbpf_lookup(handle, "threads", index, $0.baseAddress)
        }
        return status == 0 ? value : nil
    }

    func setCounters(_ value: [UInt8], at index: UInt32) throws(ObserveError) {
        let status = unsafe value.withUnsafeBytes {
            unsafe cbpf_update(handle, "threads", index, $0.baseAddress)
        }
        guard status == 0 else { throw .refused(-status) }
    }

    func setFilter(_ filter: observe_filter, at index: UInt32) throws(ObserveError) {
        var filter = filter
        let status = unsafe cbpf_update(handle, "filters", index, &filter)
        guard status == 0 else { throw .refused(-status) }
    }

    func ring() throws(ObserveError) -> BPFRing {
        guard let ring = unsafe cbpf_ring_open(handle, "records") else { throw .refused(0) }
        return unsafe BPFRing(ring)
    }
}

extension ObserveError {
    /// The kernel's or libbpf's refusal; 0 for one that only libbpf's text explains.
    fileprivate static func refused(_ error: Int32) -> ObserveError {
        let said = unsafe String(cString: cbpf_reason())
        if error == EPERM || error == EACCES, geteuid() != 0 {
            return .noBPF("BPF needs root, or CAP_BPF and CAP_PERFMON")
        }
        if error == EPERM {
            return .noBPF(
                "the kernel refuses BPF to root here: lockdown, or a container without CAP_BPF")
        }
        let reasons = [error == 0 ? "" : unsafe String(cString: strerror(error)), said]
        let text = reasons.filter { !$0.isEmpty }.joined(separator: ": ")
        return .noBPF("BPF is not to be had: \(EscapedText.line(text))")
    }
}

/// A BPF ring buffer; its end unmaps it.
///
/// Unsafe: the mapping is used here only, and unmapped once.
@safe
struct BPFRing: ~Copyable {
    private let handle: OpaquePointer
    private var buffer = [UInt8](repeating: 0, count: TracepointRecord.longest)

    init(_ handle: OpaquePointer) { unsafe self.handle = handle }

    deinit { unsafe cbpf_ring_close(handle) }

    /// For poll(2).
    var descriptor: Int32 { unsafe cbpf_ring_descriptor(handle) }

    /// A copy of the next record, where there is one.
    mutating func next() -> [UInt8]? {
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe cbpf_ring_read(handle, $0.baseAddress, $0.count)
        }
        return count == 0 ? nil : Array(buffer.prefix(count))
    }
}
