/// What the debugger asks of its tracer process.
enum TracerRequest: Equatable {
    /// Take hold of the vCPUs of a process; the answer is `.held`.
    case attach(process: Int32, vcpus: [ForeignVCPU])
    /// An ioctl of a vCPU with the bytes of its argument; the answer is `.result`.
    case call(vcpu: Int, request: UInt64, argument: [UInt8])
    /// Run to the next stop; the answer is `.stopped`.
    case run(RunScope, limit: UInt64, breakpoints: [UInt64])
    /// Where guest memory lies in the process; no answer.
    case memory([GuestExtent])
    /// Which guest memory ends a run when it changes; no answer.
    case watch([WatchedBytes])
    /// Which signal means that a vCPU has to stop; no answer.
    case trap(signal: Int32)
    /// What the VMM wanted of KVM for a vCPU when it was attached to; no answer.
    case debug(vcpu: Int, VMMDebug)
    /// Stop what runs; the answer is `.held`.
    case hold
    /// End the run that is under way; no answer of its own.
    case interrupt
    /// Leave the process as it was; the answer is `.detached`.
    case detach
}

/// What the tracer answers.
enum TracerReply: Equatable {
    case held(TracedState)
    case result(Int32, [UInt8])
    case stopped(TracedStop, TracedState)
    case detached
    /// The process has ended, with this status of wait(2).
    case ended(status: Int32)
    /// The sentence for the user.
    case failed(String)
}

/// All that the tracer knows of the vCPUs without asking KVM.
struct TracedState: Equatable {
    struct VCPU: Equatable {
        var thread: Int32
        /// Instructions that the debugger has stepped.
        var steps: UInt64
        /// As KVM left them when the vCPU last came out of the guest; `nil` where that was not seen.
        var registers: RegisterFile?
        /// Whether it is neither in `KVM_RUN` nor held there.
        var isOutside: Bool
    }

    var vcpus: [VCPU] = []
}

/// Why a run is over.
struct TracedStop: Equatable {
    enum Reason: Equatable {
        case limit, breakpoint, interrupted
        /// Watched memory has changed.
        case touched
        /// A signal of `TracerRequest.trap` came; the exit that it was sent at is over.
        case trapped
        /// An exit went to the VMM, which answers it; the vCPU goes on with the next run.
        case passed(PassedExit.Kind)
    }

    var vcpu: Int
    var reason: Reason
}

extension TracerRequest {
    /// The first byte of every packet; another one is another version of this program.
    static let version: UInt8 = 3

    var packet: [UInt8] {
        var writer = PacketWriter()
        writer.put(Self.version)
        switch self {
        case .attach(let process, let vcpus):
            writer.put(UInt8(0))
            writer.put(process)
            writer.put(UInt32(vcpus.count))
            for vcpu in vcpus { writer.put(vcpu) }
        case .call(let vcpu, let request, let argument):
            writer.put(UInt8(1))
            writer.put(UInt32(vcpu))
            writer.put(request)
            writer.put(argument)
        case .run(let scope, let limit, let breakpoints):
            writer.put(UInt8(2))
            writer.put(scope.number)
            writer.put(limit)
            writer.put(breakpoints)
        case .memory(let slots):
            writer.put(UInt8(3))
            writer.put(slots.flatMap { [$0.guest, $0.host, $0.size] })
        case .watch(let bytes):
            writer.put(UInt8(8))
            writer.put(bytes.flatMap { [$0.address.rawValue, UInt64($0.count)] })
        case .hold: writer.put(UInt8(6))
        case .trap(let signal):
            writer.put(UInt8(7))
            writer.put(signal)
        case .debug(let vcpu, let debug):
            writer.put(UInt8(9))
            writer.put(UInt32(vcpu))
            writer.put(debug.bytes)
        case .interrupt: writer.put(UInt8(4))
        case .detach: writer.put(UInt8(5))
        }
        return writer.bytes
    }

    init(packet: [UInt8]) throws(PacketReader.Malformed) {
        var reader = PacketReader(packet)
        guard try reader.integer(UInt8.self) == Self.version else { throw .init() }
        switch try reader.integer(UInt8.self) {
        case 0:
            let process = try reader.integer(Int32.self)
            let count = try reader.integer(UInt32.self)
            var vcpus: [ForeignVCPU] = []
            for _ in 0..<min(count, 4096) { vcpus.append(try reader.vcpu()) }
            self = .attach(process: process, vcpus: vcpus)
        case 1:
            let vcpu = Int(try reader.integer(UInt32.self))
            self = .call(vcpu: vcpu, request: try reader.integer(), argument: try reader.data())
        case 2:
            let scope = RunScope(number: try reader.integer())
            self = .run(scope, limit: try reader.integer(), breakpoints: try reader.words())
        case 3: self = .memory(GuestExtent.slots(try reader.words()))
        case 4: self = .interrupt
        case 5: self = .detach
        case 6: self = .hold
        case 7: self = .trap(signal: try reader.integer())
        case 9:
            let vcpu = Int(try reader.integer(UInt32.self))
            guard let debug = VMMDebug(try reader.data()) else { throw .init() }
            self = .debug(vcpu: vcpu, debug)
        case 8: self = .watch(WatchedBytes.list(try reader.words()))
        default: throw .init()
        }
    }
}

extension TracerReply {
    var packet: [UInt8] {
        var writer = PacketWriter()
        writer.put(TracerRequest.version)
        switch self {
        case .held(let state):
            writer.put(UInt8(0))
            writer.put(state)
        case .result(let value, let bytes):
            writer.put(UInt8(1))
            writer.put(value)
            writer.put(bytes)
        case .stopped(let stop, let state):
            writer.put(UInt8(2))
            writer.put(stop)
            writer.put(state)
        case .detached: writer.put(UInt8(3))
        case .ended(let status):
            writer.put(UInt8(4))
            writer.put(status)
        case .failed(let text):
            writer.put(UInt8(5))
            writer.put(text)
        }
        return writer.bytes
    }

    init(packet: [UInt8]) throws(PacketReader.Malformed) {
        var reader = PacketReader(packet)
        guard try reader.integer(UInt8.self) == TracerRequest.version else { throw .init() }
        switch try reader.integer(UInt8.self) {
        case 0: self = .held(try reader.state())
        case 1: self = .result(try reader.integer(), try reader.data())
        case 2: self = .stopped(try reader.stop(), try reader.state())
        case 3: self = .detached
        case 4: self = .ended(status: try reader.integer())
        case 5: self = .failed(try reader.text())
        default: throw .init()
        }
    }
}
