internal import SystemPackage

extension GuestImage {
    /// The guest of a name: a built-in one, else a file.
    ///
    /// What contains a `/` is always a file.
    ///
    /// A file that starts as ELF files do is one; any other is a flat binary.
    package static func load(_ nameOrPath: String) throws(GuestError) -> GuestImage {
        if !nameOrPath.contains("/"), let guest = BuiltInGuest[nameOrPath] { return guest.image }
        let bytes: [UInt8]
        do throws(GuestFileError) {
            bytes = try GuestFile.read(nameOrPath)
        } catch {
            throw .unusableFile("\(nameOrPath) \(error.sentence)")
        }
        return bytes.starts(with: ELFFile.magic)
            ? try GuestImage(elf: bytes, name: nameOrPath)
            : GuestImage(flat: bytes, name: nameOrPath)
    }
}

/// Why a file cannot be read as a guest.
///
/// Each sentence follows the file's name.
private enum GuestFileError: Error {
    case system(Errno)
    case directory, special, empty
    case tooBig(Int64)

    var sentence: String {
        switch self {
        case .system(.noSuchFileOrDirectory):
            "is neither a built-in guest nor a file: `sevdbg guests` lists the built-in ones"
        case .system(let error): "cannot be read: \(error)"
        case .directory: "is a directory: name the guest's file in it"
        case .special: "is no regular file: a guest is an ELF file or a flat binary"
        case .empty: "is empty: a guest has at least one instruction"
        case .tooBig(let size):
            "has \(size) bytes: a guest's file can have \(GuestFile.limit >> 20) MiB"
        }
    }
}

private enum GuestFile {
    static let limit: Int64 = 256 << 20

    static func read(_ path: String) throws(GuestFileError) -> [UInt8] {
        do {
            // Without waiting: to open a FIFO would else wait for its writer.
            let file = try FileDescriptor.open(
                FilePath(path), .readOnly, options: [.nonBlocking, .closeOnExec])
            return try file.closeAfter { try contents(of: file) }
        } catch let error as GuestFileError {
            throw error
        } catch let error as Errno {
            throw .system(error)
        } catch {
            throw .special
        }
    }

    private static func contents(of file: FileDescriptor) throws -> [UInt8] {
        let status = try Stat(file)
        if status.type == .directory { throw GuestFileError.directory }
        guard status.type == .regular else { throw GuestFileError.special }
        guard status.size > 0 else { throw GuestFileError.empty }
        guard status.size <= limit else { throw GuestFileError.tooBig(status.size) }
        var bytes = [UInt8](repeating: 0, count: Int(status.size))
        // The buffer is the array's own, and the call writes no more than its size.
        let count = try unsafe bytes.withUnsafeMutableBytes { buffer in
            var filled = 0
            while filled < buffer.count {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                let count = try unsafe file.read(into: rest)
                if count == 0 { break }
                filled += count
            }
            return filled
        }
        guard count > 0 else { throw GuestFileError.empty }
        return Array(bytes.prefix(count))
    }
}
