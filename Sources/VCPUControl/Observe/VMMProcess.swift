internal import CBPF
import Glibc

/// A process that has VMs open, as /proc shows it.
struct VMMProcess: Sendable {
    let pid: Int32
    /// Not more than 15 bytes of it; the process chooses it.
    let name: String
    /// The descriptors of its VMs, in ascending order.
    let vms: [Int32]
    /// The descriptors of its vCPUs with their numbers, by these.
    let vcpus: [(id: Int, descriptor: Int32)]

    init(_ pid: Int32) throws(ObserveError) {
        guard pid > 0, kill(pid, 0) == 0 || errno != ESRCH else { throw .noProcess(pid) }
        self.pid = pid
        name = Self.name(of: pid)
        let descriptors = try Self.descriptors(of: pid)
        vms = descriptors.filter { KVMFile($0.target) == .vm }.map(\.number).sorted()
        vcpus = descriptors.compactMap { number, target in
            guard case .vcpu(let id) = KVMFile(target) else { return nil }
            return (id, number)
        }.sorted { ($0.id, $0.descriptor) < ($1.id, $1.descriptor) }
        guard !vms.isEmpty || !vcpus.isEmpty else { throw .noVM(pid, name: name) }
    }

    /// Whether all vCPUs must belong to the same VM.
    var hasOneVM: Bool { vms.count <= 1 && Set(vcpus.map(\.id)).count == vcpus.count }

    private static func name(of pid: Int32) -> String {
        guard let bytes = try? ProcessFile.bytes("/proc/\(pid)/comm") else { return "?" }
        return EscapedText.line(String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self))
    }

    private static func descriptors(
        of pid: Int32
    ) throws(ObserveError) -> [(number: Int32, target: String)] {
        let folder = "/proc/\(pid)/fd"
        // The stream is closed on every way out; an entry is used before the next one is read.
        guard let stream = unsafe opendir(folder) else { throw .cannotList(pid, errno: errno) }
        defer { unsafe closedir(stream) }
        var found: [(number: Int32, target: String)] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            guard let number = Int32(name), let target = link("\(folder)/\(name)") else { continue }
            found.append((number, target))
        }
        return found
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 64)
        let count = unsafe readlink(path, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension ObserveError {
    fileprivate static func cannotList(_ pid: Int32, errno: Int32) -> ObserveError {
        guard errno != ENOENT else { return .noProcess(pid) }
        var status = stat()
        let owner = unsafe stat("/proc/\(pid)", &status) == 0 ? status.st_uid : 0
        return owner == geteuid()
            ? .closed(pid, errno: errno)
            : .foreign(pid, owner: owner, user: geteuid())
    }
}

/// Files of /proc: small, and read at once.
enum ProcessFile {
    static func bytes(_ path: String) throws(Failure) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(errno: errno) }
        defer { _ = close(descriptor) }
        var failure: Int32 = 0
        // The buffer is the array's own; `read` says how much of it is filled.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            let result = unsafe read(descriptor, buffer.baseAddress, buffer.count)
            if result < 0 { failure = errno }
            count = max(result, 0)
        }
        guard failure == 0 else { throw Failure(errno: failure) }
        return bytes
    }

    struct Failure: Error { var errno: Int32 }
}

/// A descriptor of a process, readable when it has ended; pidfd_open(2).
struct ProcessDescriptor: ~Copyable {
    let number: Int32

    init(_ pid: Int32) throws(ObserveError) {
        number = cbpf_open_process(pid)
        guard number >= 0 else { throw .noProcess(pid) }
    }

    deinit { _ = close(number) }

    /// Waits for the end of the process, or for the other descriptor to become readable.
    ///
    /// - Returns: whether the process has ended.
    func wait(or other: Int32, milliseconds: Int32) -> Bool {
        var entries = [
            pollfd(fd: number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: other, events: Int16(POLLIN), revents: 0),
        ]
        // The kernel writes into the two entries during the call.
        let count = unsafe poll(&entries, 2, milliseconds)
        return count > 0 && entries[0].revents != 0
    }
}
