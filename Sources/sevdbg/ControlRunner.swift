import VCPUControl

/// A session over the guest of a running VMM, from the command line's arguments to its end.
struct ControlRunner {
    /// What is attached to, and where it is to stop.
    struct Target: Sendable {
        var process: Int32
        /// Which of its VMs; `nil` is the only one.
        var vm: Int?
        var vcpu: Int
        var breakpoints: [String]
    }

    var target: Target
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
        let target = target
        return Interactive.run(interface.terminal()) { try target.makeSession() }
    }

    private func runBatch(_ commands: [ScriptCommand]) -> ProgramStatus {
        Interruption.catchSignals()
        do throws(SessionError) {
            let session = try target.makeSession()
            var runner = BatchRunner(
                session, isJSON: script.json, hasColor: !script.json && interface.hasColor)
            return runner.run(commands)
        } catch {
            StandardError.message(error.message)
            return ProgramStatus(error)
        }
    }
}

extension ControlRunner.Target {
    fileprivate func makeSession() throws(SessionError) -> Session {
        let machine: ForeignMachine
        do throws(AttachError) {
            machine = try ForeignMachine(process: process, vm: vm, interrupt: Interruption.flag)
        } catch { throw .machine(.refused(error.message)) }
        return try Session(
            attachedTo: AttachedGuest(process: process, name: machine.process.name), machine,
            vcpu: vcpu, breakpoints: breakpoints,
            interruptFlag: Interruption.flag)
    }
}
