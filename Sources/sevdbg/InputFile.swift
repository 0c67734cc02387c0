import Glibc
import SystemPackage

/// A file that cannot be read.
struct InputError: Error, Equatable {
    var message: String
}

/// Files of the command line; `-` is standard input.
enum InputFile {
    /// Whether there is something at a path, readable or not.
    static func exists(_ path: String) -> Bool {
        // Another reason than this one is told when it is read.
        unsafe access(path, F_OK) == 0 || errno != ENOENT
    }

    /// All bytes; `purpose` says in the error what the file was to be.
    ///
    /// One that never ends, a device or a pipe, is read to just behind the limit.
    static func bytes(
        _ path: String, as purpose: String, atMost limit: Int
    ) throws(InputError) -> [UInt8] {
        var all: [UInt8] = []
        try read(path, as: purpose) {
            all += $0
            return all.count <= limit
        }
        guard all.count <= limit else {
            throw InputError(
                message: "\(path) has more than \(limit) bytes: that is no \(purpose)")
        }
        return all
    }

    /// Hands over part by part, until the end or until no more is wanted.
    static func read(
        _ path: String, as purpose: String, _ wantsMore: ([UInt8]) -> Bool
    ) throws(InputError) {
        do {
            if path == "-" { return try parts(of: .standardInput, wantsMore) }
            let file = try FileDescriptor.open(FilePath(path), .readOnly)
            try file.closeAfter { try parts(of: file, wantsMore) }
        } catch {
            throw InputError(message: "cannot read the \(purpose) \(path): \(error)")
        }
    }

    private static func parts(
        of file: FileDescriptor, _ wantsMore: ([UInt8]) -> Bool
    ) throws {
        while true {
            // The buffer is the array's own; `read` says how much of it is filled.
            let part = try unsafe [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                count = try unsafe file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            guard !part.isEmpty, wantsMore(part) else { return }
        }
    }
}
