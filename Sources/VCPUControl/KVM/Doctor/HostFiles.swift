internal import SystemPackage

/// The files that tell of a host; a test has a host of its own.
protocol HostFiles {
    /// The text of a file, or its first 64 KiB.
    func read(_ path: String) throws(Errno) -> String
}

extension HostFiles {
    /// The text of a file without the line end; `nil` where it cannot be read.
    func line(_ path: String) -> String? {
        guard let text = try? read(path) else { return nil }
        return text.split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init)
    }

    /// The value behind a name at the start of a line: `Uid:` of /proc/self/status.
    func value(of name: String, in path: String) -> String? {
        guard let text = try? read(path) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line.map { line in
            let rest = line.dropFirst(name.count).drop { $0 == ":" || $0 == " " || $0 == "\t" }
            return String(rest)
        }
    }
}

/// The files of this host.
struct LinuxFiles: HostFiles {
    private static let limit = 1 << 16

    func read(_ path: String) throws(Errno) -> String {
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly)
            return try file.closeAfter {
                // The buffer is the array's own; `read` says how much of it is filled.
                let bytes = try unsafe [UInt8](unsafeUninitializedCapacity: Self.limit) {
                    buffer, count in
                    count = try unsafe file.read(into: UnsafeMutableRawBufferPointer(buffer))
                }
                return String(decoding: bytes, as: UTF8.self)
            }
        } catch { throw error as? Errno ?? .ioError }
    }
}
