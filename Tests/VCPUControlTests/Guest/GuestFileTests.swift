import Foundation
import Testing
import VCPUControl

@Suite("Loading guests")
struct GuestFileTests {
    /// A path to a file with these bytes, which is gone afterwards.
    private func withFile<Result>(
        _ bytes: [UInt8], _ body: (String) throws -> Result
    ) throws -> Result {
        let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).guest")
        try Data(bytes).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        return try body(url.path())
    }

    private func text(_ path: String) -> String {
        do throws(GuestError) {
            return try GuestImage.load(path).name
        } catch {
            return "\(error)"
        }
    }

    @Test("a flat binary is loaded and entered at 0x100000")
    func flat() throws {
        let image = try withFile([0x90, 0xc3]) { try GuestImage.load($0) }
        #expect(image.entry.rawValue == 0x10_0000)
        #expect(image.segments.map(\.bytes) == [[0x90, 0xc3]])
    }

    @Test("a file that starts as ELF is ELF")
    func elf() throws {
        let image = try withFile(ELFFixture().bytes) { try GuestImage.load($0) }
        #expect(image.symbols["guest_code"]?.rawValue == 0x10_0000)
        try withFile([0x7f, 0x45, 0x4c, 0x46]) { #expect(text($0).contains("cut off")) }
    }

    @Test("a name is a built-in guest first; with a / it is a path")
    func names() throws {
        #expect(try GuestImage.load("hello").symbols["guest_code"]?.rawValue == 0x10_0000)
        #expect(text("./hello").contains("neither a built-in guest nor a file"))
        #expect(text("no-such-guest").contains("sevdbg guests"))
    }

    @Test("what is no file with bytes is refused, without waiting for it")
    func special() throws {
        #expect(text("/").contains("is a directory"))
        #expect(text("/dev/zero").contains("is no regular file"))
        try withFile([]) { #expect(text($0).contains("is empty")) }
    }
}
