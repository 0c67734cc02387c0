import Synchronization

/// Keeps command lines in a file until that fails, and says so once.
final class HistoryKeeper: Sendable {
    private let file: HistoryFile
    private let hasFailed = Mutex(false)

    init(_ file: HistoryFile) { self.file = file }

    /// - Returns: what is wrong, the first time that something is.
    func keep(_ line: String) -> String? {
        hasFailed.withLock { hasFailed in
            guard !hasFailed else { return nil }
            do throws(HistoryError) {
                try file.append(line)
                return nil
            } catch {
                hasFailed = true
                return error.message
            }
        }
    }
}
