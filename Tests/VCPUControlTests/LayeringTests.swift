import Foundation
import Testing

/// The rules of ARCHITECTURE.md that a compiler does not check: who imports what.
@Suite("Layering")
struct LayeringTests {
    static let sources = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources")

    /// Modules that a pure folder may import.
    static let pureModules: Set<String> = ["VCPUControl", "Synchronization"]

    static func files(in folder: String) -> [URL] {
        let folder = sources.appending(path: folder)
        let all = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        return (all?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "swift" }
    }

    static func imports(of file: URL) throws -> Set<String> {
        let text = try String(contentsOf: file, encoding: .utf8)
        let imports = text.matches(of: /(?m)^(?:[a-z@]+ +)*import +(?:struct +|class +)?(\w+)/)
        return Set(imports.map { String($0.output.1) })
    }

    @Test(
        "pure folders import no C and no system module",
        arguments: [
            "VCPUControl/State", "VCPUControl/GHCB", "VCPUControl/Observe/Records", "DebugUI/Frame",
            "DebugUI/Model",
        ])
    func pure(folder: String) throws {
        let files = Self.files(in: folder)
        #expect(!files.isEmpty)
        for file in files {
            let foreign = try Self.imports(of: file).subtracting(Self.pureModules)
            #expect(foreign.isEmpty, "\(file.lastPathComponent) imports \(foreign.sorted())")
        }
    }

    @Test(
        "a C module has one home",
        arguments: [
            ("CNcurses", ["DebugUI/Terminal/"]),
            ("CKVM", ["VCPUControl/Guest/", "VCPUControl/KVM/", "VCPUControl/Attach/"]),
            ("CBPF", ["VCPUControl/Observe/"]),
            (
                "CZydis",
                ["VCPUControl/Emulator/", "VCPUControl/Session/", "VCPUControl/Machine/"]
            ),
        ])
    func home(module: String, folders: [String]) throws {
        for file in Self.files(in: ".") where try Self.imports(of: file).contains(module) {
            let path = file.path()
            #expect(folders.contains { path.contains($0) }, "\(path) imports \(module)")
        }
    }

    @Test("imports run one way")
    func direction() throws {
        for file in Self.files(in: "VCPUControl") {
            #expect(try Self.imports(of: file).isDisjoint(with: ["DebugUI", "ArgumentParser"]))
        }
        for file in Self.files(in: "DebugUI") {
            #expect(try !Self.imports(of: file).contains("ArgumentParser"))
        }
    }
}
