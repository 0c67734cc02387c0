import ArgumentParser
import VCPUControl

/// `sevdbg decode`: explains what somebody has in hand, without a guest.
struct DecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Explain values, pages and kernel logs of the GHCB protocol.",
        subcommands: [DecodeMSR.self, DecodeExit.self, DecodePage.self, DecodeLog.self])
}

/// `sevdbg decode msr VALUE`.
struct DecodeMSR: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "msr", abstract: "Explain a value of MSR 0xC0010130.")

    @Argument(help: "The value, in decimal or 0x….")
    var value: Word

    @OptionGroup var output: DecodeOutput

    func run() { output.show([Decode.msr(value.bits)]) }
}

/// `sevdbg decode exit CODE [INFO1 INFO2]`.
struct DecodeExit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exit", abstract: "Explain an exit code and its information words.")

    @Argument(help: "The exit code as a number, or its name.")
    var code: String

    @Argument(help: "SW_EXITINFO1.")
    var info1: Word?

    @Argument(help: "SW_EXITINFO2.")
    var info2: Word?

    @OptionGroup var output: DecodeOutput

    func run() throws {
        let number = Word(argument: code).map { ExitCode($0.bits) }
        guard let code = number ?? ExitCode(named: code) else {
            throw ValidationError(
                "\(code.debugDescription) is neither a number nor the name of an exit code")
        }
        output.show([Decode.exit(code, info1: info1?.bits, info2: info2?.bits)])
    }
}

/// `sevdbg decode ghcb FILE`.
struct DecodePage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ghcb", abstract: "Explain a GHCB page of 4096 bytes.")

    @Argument(help: "The file with the page; - for standard input.")
    var file: String

    @OptionGroup var output: DecodeOutput

    func run() throws {
        do throws(InputError) {
            let bytes = try InputFile.bytes(file, as: "GHCB page", atMost: GHCBPage.size)
            guard let page = GHCBPage(bytes) else {
                throw InputError(
                    message: "\(file) has \(bytes.count) bytes: a GHCB page has 4096")
            }
            output.show([Decode.page(page)])
        } catch { throw error.exit }
    }
}

/// `sevdbg decode dmesg FILE`.
struct DecodeLog: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dmesg",
        abstract: "Explain what KVM and guests log about VMGEXITs; other lines pass through.")

    @Argument(help: "A kernel log or trace as text; - for standard input.")
    var file: String

    @OptionGroup var output: DecodeOutput

    func run() throws {
        var (decoder, lines) = (LogDecoder(), LineSplitter())
        var shown = DecodeWriter(isJSON: output.json)
        do throws(InputError) {
            try InputFile.read(file, as: "log") { part in
                for line in lines.split(part) { shown.show(decoder.decode(line), of: line) }
                return true
            }
        } catch { throw error.exit }
        if let line = lines.rest { shown.show(decoder.decode(line), of: line) }
        shown.flush()
    }
}

extension InputError {
    /// Says what failed, and gives the status for a file that cannot be used.
    fileprivate var exit: ArgumentParser.ExitCode {
        StandardError.message(message)
        return ProgramStatus.noFile.exitCode
    }
}
