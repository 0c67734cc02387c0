import ArgumentParser
import DebugUI

/// How the terminal interface looks: the command line, the environment and the configuration.
struct InterfaceOptions: ParsableArguments {
    @Option(help: "Colour the output.")
    var color = ColorChoice.auto

    @Option(help: "The colours of the terminal interface. (default: default)")
    var theme: Theme?

    @Flag(
        inversion: .prefixedNo,
        help: "Draw the terminal interface with ASCII only. (default: where the locale needs it)")
    var ascii: Bool?

    @Flag(
        inversion: .prefixedNo,
        help: "Take the mouse's clicks and wheel; select text with Shift then. (default: no)")
    var mouse: Bool?

    @Option(
        help: ArgumentHelp(
            "The terminal interface's configuration. (default: ~/.config/sevdbg/config.toml)",
            valueName: "FILE"))
    var config: String?

    @Flag(name: .customLong("nx"), help: "Read no configuration.")
    var readsNone = false

    /// Whether output without the terminal interface has colours; no configuration changes that.
    var hasColor: Bool { isColored(configured: nil) }

    private func isColored(configured: ColorChoice?) -> Bool {
        color.isOn(
            configured: configured,
            environment: Environment.values(["NO_COLOR", "CLICOLOR_FORCE", "TERM"]),
            isTerminal: StandardOutput.isTerminal)
    }

    /// Reads the configuration, says what is wrong with it, and puts the command line above it.
    func terminal() -> TerminalOptions {
        let environment = Environment.values(["XDG_CONFIG_HOME", "HOME"])
        let file = readsNone ? nil : ConfigurationFile(named: config, environment: environment)
        let (configuration, warning) = file?.read() ?? (Configuration(), nil)
        var options = TerminalOptions()
        options.usesColor = isColored(configured: configuration.color)
        options.theme = theme ?? configuration.theme ?? options.theme
        options.isASCII = ascii ?? configuration.ascii ?? options.isASCII
        options.usesMouse = mouse ?? configuration.mouse ?? options.usesMouse
        options.focus = configuration.focus ?? options.focus
        options.isZoomed = configuration.zoom ?? options.isZoomed
        options.keyMap = configuration.keyMap
        options.notice = warning
        return options
    }
}
