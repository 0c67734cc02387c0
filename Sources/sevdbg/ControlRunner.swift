import VCPUControl

/// A session over the guest of a running VMM, from the command line's arguments to its end.
struct ControlRunner {
    var process: Int32
    var vcpu: Int
    var script: ScriptOptions
    var interface: InterfaceOptions

    func run() -> ProgramStatus {
        let commands: [ScriptCommand]
        do throws(InputError) {
            commands = try Script.commands(of: script.sources)
        } catch {
            StandardError.message(error.message)
            return .noFile
        }
        if script.wantsTerminal, let status = runTerminal() { return status }
        return runBatch(commands)
    }

    private func runTerminal() -> ProgramStatus? {
        let (process, vcpu, breakpoints) = (process, vcpu, script.breakpoints)
        return Interactive.run(interface.terminal()) {
            try Self.makeSession(process, vcpu, breakpoints)
        }
    }

    private func runBatch(_ commands: [ScriptCommand]) -> ProgramStatus {
        Interruption.catchSignals()
        do throws(SessionError) {
            let session = try Self.makeSession(process, vcpu, script.breakpoints)
            var runner = BatchRunner(
                session, isJSON: script.json, hasColor: !script.json && interface.hasColor)
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
