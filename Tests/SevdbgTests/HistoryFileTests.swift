import Foundation
import SystemPackage
import Testing

@testable import sevdbg

@Suite("The history of command lines", .timeLimit(.minutes(1)))
struct HistoryFileTests {
    private let directory = FileManager.default.temporaryDirectory.appending(
        path: "sevdbg-history-\(UUID())")

    private var file: HistoryFile {
        HistoryFile(path: FilePath(directory.appending(path: "state/sevdbg/history").path()))
    }

    private func write(_ bytes: some Sequence<UInt8>) throws {
        let folder = directory.appending(path: "state/sevdbg")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(bytes).write(to: folder.appending(path: "history"))
    }

    private func size() throws -> Int {
        try Data(contentsOf: URL(filePath: file.path.string)).count
    }

    private func remove() { try? FileManager.default.removeItem(at: directory) }

    @Test("lines come back in order, and the newest where there are too many")
    func order() throws {
        defer { remove() }
        #expect(try file.lines(10) == [])
        for line in ["si", "x/4gx $rsp", "break a if $rax == 1"] { try file.append(line) }
        #expect(try file.lines(10) == ["si", "x/4gx $rsp", "break a if $rax == 1"])
        #expect(try file.lines(2) == ["x/4gx $rsp", "break a if $rax == 1"])
    }

    @Test("several programs at once lose no line and break none")
    func concurrent() async throws {
        defer { remove() }
        let file = file
        let all = (0..<8).map { writer in (0..<50).map { "writer \(writer) line \($0)" } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lines in all { group.addTask { for line in lines { try file.append(line) } } }
            try await group.waitForAll()
        }
        let kept = try file.lines(1000)
        #expect(kept.sorted() == all.flatMap { $0 }.sorted())
        for lines in all { #expect(kept.filter(Set(lines).contains) == lines) }
    }

    @Test("a file that grows too long is shortened, while others write too")
    func bounded() async throws {
        defer { remove() }
        let file = file
        let long = String(repeating: "x", count: 4000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for line in 0..<40 { try file.append("\(writer).\(line) \(long)") }
                }
            }
            try await group.waitForAll()
        }
        try file.append("last")
        #expect(try size() <= HistoryFile.capacity + 3 * 4096)
        let kept = try file.lines(1000)
        #expect(kept.last == "last" && kept.count > 20)
        #expect(kept.dropLast().allSatisfy { $0.hasSuffix(long) })
    }

    @Test("what is no line of ours does no harm: control characters, NUL, half lines, megabytes")
    func hostile() throws {
        defer { remove() }
        try write(
            Array("a\u{1b}[2Jb\u{0}c\n\u{9b}31m\n\n".utf8) + [0xff, 0xfe, 0x0a] + Array("half".utf8)
        )
        var lines = try file.lines(10)
        #expect(lines.first == "a\\x1b[2Jb\\x00c")
        #expect(lines.count == 4 && lines.last == "half")
        try file.append("si")
        #expect(try file.lines(2) == ["half", "si"])
        try write(Array(repeating: UInt8(ascii: "z"), count: 5 << 20))
        #expect(try file.lines(10) == [])
        try file.append("after")
        #expect(try size() <= HistoryFile.capacity)
        lines = try file.lines(10)
        #expect(lines.last == "after")
        try write(Array(repeating: 0, count: 1 << 17) + [0x0a])
        #expect(try file.lines(10).allSatisfy { $0.unicodeScalars.count <= 4096 })
    }

    @Test("where nothing can be kept that is said once, and nothing hangs")
    func unusable() throws {
        defer { remove() }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try Data().write(to: directory.appending(path: "state"))
        let keeper = HistoryKeeper(file)
        #expect(keeper.keep("si")?.hasPrefix("the history is not kept: ") == true)
        #expect(keeper.keep("si") == nil)
        let fifo = directory.appending(path: "fifo").path()
        // The string outlives the call.
        let made = unsafe mkfifo(fifo, 0o600)
        #expect(made == 0)
        #expect(throws: HistoryError.self) { try HistoryFile(path: FilePath(fifo)).lines(1) }
        #expect(throws: HistoryError.self) { try HistoryFile(path: "/dev/zero").lines(1) }
    }
}
