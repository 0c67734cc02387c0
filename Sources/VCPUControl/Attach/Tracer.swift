internal import CKVM
internal import Glibc

/// The process that holds a VMM by ptrace, so that nothing that befalls the debugger reaches it.
///
/// One thread, one loop over requests and stops. Whatever ends the loop, the VMM is left as it was;
/// what ends the process itself, the code in the VMM survives (CKVM/attach/stub.S).
///
/// Unsafe: hands the bytes of arrays to system calls for the time of one call.
package final class Tracer {
    let channel: Int32
    let signals: Int32

    /// Whether only letting go is left: neither requests nor signals count any more.
    var isLeaving = false
    let stops = ThreadStops()
    var inspector = ProcessInspector(process: 0)
    var target: Target?
    var tracees: [Tracee] = []
    /// Threads of which it is not known yet whether they run a vCPU.
    var search: ThreadSearch?
    /// Whether all threads of the process were seized when it was attached to.
    var hasAllThreads = false
    /// Where guest memory lies in the process.
    var slots: [GuestExtent] = []
    /// Stops that came while another was reported.
    var waiting: [TracedStop] = []
    var run = TracedRun()

    /// What the tracer knows of the process that it holds.
    struct Target {
        let memory: ProcessMemory
        let stops: ThreadStops
        let cave: UInt64
        /// Signals that do nothing to it.
        let ignored: UInt64
        let leftovers: [Leftover]
    }

    /// Serves one debugger on a socket of packets, until it goes away.
    package static func serve(channel: Int32) {
        let signals = ckvm_open_signals()
        guard signals >= 0 else { return }
        Tracer(channel: channel, signals: signals).serve()
    }

    private init(channel: Int32, signals: Int32) {
        (self.channel, self.signals) = (channel, signals)
    }

    private func serve() {
        do throws(TraceFailure) {
            while true {
                switch try wait() {
                case .request(let request): guard try answer(request) else { return detach() }
                // A vCPU that comes back from the VMM between two requests.
                case .event(let index, let event): keep(note(index, event))
                case .nothing: continue
                }
            }
        } catch {
            if case .ended(let status) = error { reply(.ended(status: status ?? lastStatus())) }
            if case .refused(let text) = error { reply(.failed(text)) }
        }
        detach()
    }

    /// Waits up to a second for the end of a thread that is found dying.
    private func lastStatus() -> Int32 {
        for _ in 0..<100 {
            while let stop = stops.next() {
                if stop.kind == ckvm_stop_gone { return stop.status }
            }
            _ = ckvm_poll(-1, signals, 10)
            while ckvm_take_signal(signals) != 0 {}
        }
        return 0
    }

    /// - Returns: whether there is more to do.
    private func answer(_ request: TracerRequest) throws(TraceFailure) -> Bool {
        do throws(TraceFailure) {
            switch request {
            case .attach(let process, let vcpus):
                try attach(process, vcpus)
                reply(.held(try takeState()))
            case .call(let vcpu, let request, let argument):
                let (result, bytes) = try call(vcpu, request, argument)
                reply(.result(result, bytes))
            case .run(let scope, let limit, let breakpoints):
                let stop = try run(scope, limit, breakpoints)
                reply(.stopped(stop, try takeState()))
            case .hold:
                try quiesce()
                reply(.held(try takeState()))
            case .memory(let slots):
                self.slots = slots
                for tracee in tracees { tracee.slots = slots }
            case .watch(let bytes): run.watched.watch(bytes)
            case .trap(let signal): for tracee in tracees { tracee.trap = signal }
            case .debug(let vcpu, let debug): try tracee(vcpu).learn(debug)
            case .interrupt: break
            case .detach:
                detach()
                reply(.detached)
                return false
            }
        } catch {
            guard case .refused(let text) = error else { throw error }
            reply(.failed(text))
        }
        return true
    }

    private func reply(_ reply: TracerReply) {
        let packet = reply.packet
        // A debugger that has gone is noticed where the next request is waited for.
        _ = unsafe packet.withUnsafeBytes { unsafe ckvm_send(channel, $0.baseAddress, $0.count) }
    }

    private func takeState() throws(TraceFailure) -> TracedState {
        var state = TracedState()
        for tracee in tracees {
            tracee.reported = tracee.steps
            if !tracee.isKnown { try lookAt(tracee) }
            state.vcpus.append(
                .init(
                    thread: tracee.thread, steps: tracee.steps,
                    registers: tracee.isKnown ? tracee.registers : nil,
                    isOutside: isElsewhere(tracee)))
        }
        return state
    }

    func tracee(_ number: Int) throws(TraceFailure) -> Tracee {
        guard tracees.indices.contains(number) else { throw .refused("there is no vCPU \(number)") }
        return tracees[number]
    }
}

// Waiting.
extension Tracer {
    enum Wakeup: Equatable {
        case event(Int, Tracee.Event)
        case request(TracerRequest)
        /// Nothing came for this long.
        case nothing
    }

    /// Waits for a request or for something that a vCPU did.
    ///
    /// - Parameter milliseconds: -1 waits for ever.
    /// - Returns: what came first.
    /// - Throws: `.leave` when the debugger is gone, `.ended` when the VMM is.
    func wait(milliseconds: Int32 = -1) throws(TraceFailure) -> Wakeup {
        var isPatient = false
        while true {
            if let event = try takeStops() { return event }
            let time = isPatient || milliseconds == 0 ? milliseconds : 1
            let ready = ckvm_poll(isLeaving ? -1 : channel, signals, time)
            if ready & 2 != 0 { try takeSignals() }
            if ready & 1 != 0 { return .request(try receive()) }
            guard ready == 0 else { continue }
            if isPatient || milliseconds == 0 { return .nothing }
            // What runs still is no single step.
            isPatient = true
            for tracee in tracees { try tracee.expectSignals() }
        }
    }

    /// Moves every thread on that has stopped, up to the first event.
    private func takeStops() throws(TraceFailure) -> Wakeup? {
        while let stop = stops.next() {
            guard let index = vcpu(of: stop) else {
                search?.take(stop)
                continue
            }
            noteDebug(stop)
            if let event = try tracees[index].handle(stop) { return .event(index, event) }
        }
        return nil
    }

    /// The vCPU that a stop is about; `nil`: the thread runs none, as far as is known.
    ///
    /// Of those of the thread it is the one that runs, or the one to whose `KVM_RUN` it comes.
    private func vcpu(of stop: ThreadStop) -> Int? {
        let own = tracees.indices.filter { tracees[$0].thread == stop.thread }
        if let index = own.first(where: { tracees[$0].state != .outside }) { return index }
        if let descriptor = stop.run.flatMap(Tracee.vcpu),
            let index = tracees.firstIndex(where: {
                $0.vcpu.descriptor == descriptor && $0.state == .outside
            })
        {
            _ = search?.give(stop.thread)
            tracees[index].thread = stop.thread
            return index
        }
        return own.first
    }

    /// Learns what the VMM tells KVM for a debugger of its own.
    private func noteDebug(_ stop: ThreadStop) {
        guard stop.kind == ckvm_stop_entry, let user = stop.user,
            user.orig_rax == UInt64(SystemCall.ioctl),
            user.rsi & 0xffff_ffff == ckvm_request_set_guest_debug,
            case let descriptor = Int32(truncatingIfNeeded: user.rdi),
            let tracee = tracees.first(where: { $0.vcpu.descriptor == descriptor })
        else { return }
        let bytes = target?.memory.read(user.rdx, count: VMMDebug.size)
        tracee.vmmDebug = bytes.flatMap { VMMDebug($0) } ?? tracee.vmmDebug
    }

    func takeSignals() throws(TraceFailure) {
        while true {
            let signal = ckvm_take_signal(signals)
            if signal == 0 { return }
            if signal != SIGCHLD, !isLeaving { throw .leave }
        }
    }

    func receive() throws(TraceFailure) -> TracerRequest {
        var bytes = [UInt8](repeating: 0, count: 1 << 18)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe ckvm_receive(channel, $0.baseAddress, $0.count)
        }
        guard count > 0 else { throw .leave }
        do throws(PacketReader.Malformed) {
            return try TracerRequest(packet: Array(bytes.prefix(Int(count))))
        } catch { throw .leave }
    }
}
