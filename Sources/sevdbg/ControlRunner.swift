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
        let tracer: TracerClient
        do throws(AttachError) {
            // Before there are threads, so that it can be a fork.
            tracer = try TracerClient()
        } catch {
            StandardError.message(error.message)
            return .noMachine
        }
        if script.wantsTerminal, let status = runTerminal(tracer) { return status }
        return runBatch(commands, tracer)
    }

    private func runTerminal(_ tracer: TracerClient) -> ProgramStatus? {
        let target = target
        return Interactive.run(interface.terminal()) { try target.makeSession(tracer) }
    }

    private func runBatch(
        _ commands: [ScriptCommand], _ tracer: TracerClient
    ) -> ProgramStatus {
        Interruption.catchSignals()
        do throws(SessionError) {
            let session = try target.makeSession(tracer)
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
    fileprivate func makeSession(_ tracer: TracerClient) throws(SessionError) -> Session {
        let machine: ForeignMachine
        do throws(AttachError) {
            machine = try ForeignMachine(
                process: process, vm: vm, tracer: tracer, interrupt: Interruption.flag)
        } catch { throw .machine(.refused(error.message)) }
        return try Session(
            attachedTo: AttachedGuest(process: process, name: machine.process.name), machine,
            vcpu: vcpu, breakpoints: breakpoints,
            interruptFlag: Interruption.flag)
    }
}
