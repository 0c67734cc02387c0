import VCPUControl

/// Where the configuration is: the user's own file, never one of the current directory.
struct ConfigurationFile {
    var path: String
    /// Whether the user named it: only then it has to be there.
    var isNamed: Bool

    /// More is no configuration.
    private static let limit = 1 << 20

    /// The file of `--config`, or the one that the environment says; `nil` where it says none.
    init?(named: String?, environment: [String: String]) {
        guard named == nil else {
            (path, isNamed) = (named ?? "", true)
            return
        }
        // The XDG base directory specification: a relative path is to be ignored.
        let folders = [environment["XDG_CONFIG_HOME"], environment["HOME"].map { $0 + "/.config" }]
        guard let folder = folders.compactMap({ $0 }).first(where: { $0.hasPrefix("/") }) else {
            return nil
        }
        (path, isNamed) = (folder + "/sevdbg/config.toml", false)
    }

    /// Reads it, and says on standard error what is wrong with it.
    ///
    /// - Returns: the first screen's warning, where something is wrong.
    func read() -> (configuration: Configuration, warning: String?) {
        do throws(InputError) {
            guard isNamed || InputFile.exists(path) else { return (Configuration(), nil) }
            let bytes = try InputFile.bytes(path, as: "configuration", atMost: Self.limit)
            let configuration = Configuration(String(decoding: bytes, as: UTF8.self))
            let lines = configuration.problems.map { "\(path):\($0.place): \($0.reason)" }
            lines.forEach(StandardError.line)
            return (configuration, Self.warning(lines))
        } catch {
            StandardError.message(error.message)
            return (Configuration(), error.message)
        }
    }

    private static func warning(_ lines: [String]) -> String? {
        guard let first = lines.first else { return nil }
        let more = lines.count > 1 ? " (and \(lines.count - 1) more, shown at the end)" : ""
        return EscapedText.line(first) + more
    }
}
