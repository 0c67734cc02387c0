import Glibc
import SystemPackage
import VCPUControl

/// A history that cannot be read or kept.
struct HistoryError: Error, Equatable {
    var message: String
}

/// The command lines of other times, one a line, oldest first, in a file that any number of
/// programs may use at once.
///
/// Whoever uses the file has its lock, flock(2). Nothing in it is trusted.
struct HistoryFile: Sendable {
    let path: FilePath

    /// Bytes of a file that is left alone, and that are read of any.
    static let capacity = 1 << 18
    /// Scalars of a line that are used.
    private static let longestLine = 4096

    /// The file of the XDG base directories; `nil` where the environment names none.
    static var standard: HistoryFile? {
        let environment = Environment.values(["XDG_STATE_HOME", "HOME"])
        // A relative directory has to be ignored, says the specification.
        func absolute(_ name: String) -> FilePath? {
            environment[name].map { FilePath($0) }.flatMap { $0.isAbsolute ? $0 : nil }
        }
        let state = absolute("XDG_STATE_HOME") ?? absolute("HOME")?.appending(".local/state")
        return state.map { HistoryFile(path: $0.appending("sevdbg/history")) }
    }

    /// The last lines, without any control character.
    func lines(_ limit: Int) throws(HistoryError) -> [String] {
        try locked { try Self.lines($0, limit) }
    }

    /// Adds a line at the end; a file that has grown too long loses its older half.
    func append(_ line: String) throws(HistoryError) {
        try locked { file in
            let size = try file.seek(offset: 0, from: .end)
            // A program that died while it wrote may have left half a line.
            let isComplete = try size == 0 || Self.tail(file, 1) == [UInt8(ascii: "\n")]
            try file.writeAll(Array(((isComplete ? "" : "\n") + line + "\n").utf8))
            if size > Self.capacity { try shorten(file) }
        }
    }

    // MARK: Contents

    private static func lines(_ file: FileDescriptor, _ limit: Int) throws -> [String] {
        var lines = try tail(file, capacity).split(separator: UInt8(ascii: "\n"))
        if try file.seek(offset: 0, from: .end) > capacity { lines = Array(lines.dropFirst()) }
        return lines.suffix(limit).map { line in
            let text = String(decoding: line.prefix(4 * longestLine), as: UTF8.self)
            let scalars = EscapedText.line(text).unicodeScalars.prefix(longestLine)
            return String(String.UnicodeScalarView(scalars))
        }
    }

    /// The last bytes of a file.
    private static func tail(_ file: FileDescriptor, _ count: Int) throws -> [UInt8] {
        let size = try file.seek(offset: 0, from: .end)
        try file.seek(offset: max(0, size - Int64(count)), from: .start)
        var bytes: [UInt8] = []
        while bytes.count < count {
            // The buffer is the array's own; `read` says how much of it is filled.
            let part = try unsafe [UInt8](unsafeUninitializedCapacity: count - bytes.count) {
                buffer, filled in
                filled = try unsafe file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            guard !part.isEmpty else { break }
            bytes += part
        }
        return bytes
    }

    /// Puts a file with the newest lines in the place of this one.
    private func shorten(_ file: FileDescriptor) throws {
        var (bytes, rest) = ([UInt8](), Self.capacity / 2)
        for line in try Self.lines(file, .max).reversed() {
            rest -= line.utf8.count + 1
            guard rest >= 0 else { break }
            bytes.insert(contentsOf: Array((line + "\n").utf8), at: 0)
        }
        let new = path.removingLastComponent().appending("history.new")
        let output = try FileDescriptor.open(
            new, .writeOnly, options: [.create, .truncate, .noFollow, .closeOnExec],
            permissions: .ownerReadWrite)
        _ = try output.closeAfter { try output.writeAll(bytes) }
        guard unsafe rename(new.string, path.string) == 0 else { throw Errno(rawValue: errno) }
    }
}

// The file and its lock.
extension HistoryFile {
    private func locked<Value>(
        _ body: (FileDescriptor) throws -> Value
    ) throws(HistoryError) -> Value {
        do {
            try makeDirectory()
            // Each time round somebody has put another file in the place of the one opened here.
            for _ in 0..<100 {
                let file = try open()
                let value = try file.closeAfter { try lock(file) ? body(file) : nil }
                if let value { return value }
            }
            throw Errno.resourceTemporarilyUnavailable
        } catch {
            throw HistoryError(message: "the history is not kept: \(path): \(error)")
        }
    }

    /// Makes what is missing of the directories, for nobody but the user.
    private func makeDirectory() throws {
        var directory = FilePath(root: path.root)
        for component in path.removingLastComponent().components {
            directory.append(component)
            // Made before, or by another at this moment: opening the file tells what is wrong.
            _ = unsafe mkdir(directory.string, 0o700)
        }
    }

    private func open() throws -> FileDescriptor {
        let file = try FileDescriptor.open(
            path, .readWrite, options: [.append, .create, .closeOnExec, .nonBlocking],
            permissions: .ownerReadWrite)
        guard let status = Self.status(of: file), status.st_mode & S_IFMT == S_IFREG else {
            try file.close()
            throw Errno.invalidArgument
        }
        return file
    }

    /// Waits for the lock, a second at most.
    ///
    /// - Returns: whether the file is still the one that the path names.
    private func lock(_ file: FileDescriptor) throws -> Bool {
        var tries = 0
        while flock(file.rawValue, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR, tries < 1000 else {
                throw Errno(rawValue: errno)
            }
            tries += 1
            usleep(1000)
        }
        var named = stat()
        // The variable outlives the call.
        guard unsafe stat(path.string, &named) == 0 else { return false }
        return Self.status(of: file)?.st_ino == named.st_ino
    }

    private static func status(of file: FileDescriptor) -> stat? {
        var status = stat()
        // The variable outlives the call.
        return unsafe fstat(file.rawValue, &status) == 0 ? status : nil
    }
}
