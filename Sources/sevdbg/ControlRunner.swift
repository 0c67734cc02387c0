import VCPUControl

/// A session over the guest of a running VMM, from the command line's arguments to its end.
struct ControlRunner {
    var process: Int32
    var vcpu: Int
    var breakpoints: [String]
    /// Commands in their order; the terminal only without any.
    var sources: [ScriptSource]
    var isBatch: Bool
    var isJSON: Bool
    var interface: InterfaceOptions

    func run() -> ProgramStatus {
        let commands: [ScriptCommand]
        do throws(InputError) {
            commands = try Script.commands(of: sources)
        } catch {
            StandardError.message(error.message)
            return .noFile
        }
        let wantsTerminal =
            !isBatch && !isJSON && sources.isEmpty && StandardOutput.isTerminal
        if wantsTerminal, let status = runTerminal() { return status }
        return runBatch(commands)
    }

    private func runTerminal() -> ProgramStatus? {
        let (process, vcpu, breakpoints) = (process, vcpu, breakpoints)
        return Interactive.run(interface.terminal()) {
            try Self.makeSession(process, vcpu, breakpoints)
        }
    }

    private func runBatch(_ commands: [ScriptCommand]) -> ProgramStatus {
        Interruption.catchSignals()
        do throws(SessionError) {
            let session = try Self.makeSession(process, vcpu, breakpoints)
            var runner = BatchRunner(
                session, isJSON: isJSON, hasColor: !isJSON && interface.hasColor)
            return runner.run(commands)
        } catch {
            StandardError.message(error.message)
            return ProgramStatus(error)
        }
    }

    private static func makeSession(
        _ process: Int32, _ vcpu: Int, _ breakpoints: [String]
    ) throws(SessionError) -> Session {
        let machine: ForeignMachine
        do throws(AttachError) {
            machine = try ForeignMachine(process: process, interrupt: Interruption.flag)
        } catch { throw .machine(.refused(error.message)) }
        let guest = AttachedGuest(
            process: process, name: machine.process.name, memory: machine.map)
        return try Session(
            attachedTo: guest, machine, vcpu: vcpu, breakpoints: breakpoints,
            interruptFlag: Interruption.flag)
    }
}
