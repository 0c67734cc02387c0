import Foundation
import PackagePlugin

/// Compiles the BPF programs of CBPF and embeds them in the target that loads them.
@main
struct BPFPrograms: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let module = context.package.directoryURL.appending(path: "Sources/CBPF")
        let folder = module.appending(path: "programs")
        let files = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        let shared =
            [module.appending(path: "include/observe.h")]
            + files.filter {
                !$0.lastPathComponent.hasSuffix(".bpf.c")
            }
        // The toolchain's clang has the target BPF; another may be had by its name alone.
        let clang = (try? context.tool(named: "clang").url.path()) ?? "clang"
        return files.filter { !shared.contains($0) }.map { source in
            let name = source.lastPathComponent.dropLast(".bpf.c".count)
            let output = context.pluginWorkDirectoryURL.appending(path: "Program+\(name).swift")
            return .buildCommand(
                displayName: "Compiling BPF program \(name)",
                executable: URL(filePath: "/bin/sh"),
                arguments: [
                    folder.appending(path: "embed.sh").path(), clang, source.path(), output.path(),
                ],
                inputFiles: [source] + shared, outputFiles: [output])
        }
    }
}
