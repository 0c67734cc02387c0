// The values that packets carry.

extension RunScope {
    var number: Int32 {
        switch self {
        case .all: -1
        case .one(let vcpu): Int32(truncatingIfNeeded: vcpu)
        }
    }

    init(number: Int32) { self = number < 0 ? .all : .one(Int(number)) }
}

extension GuestExtent {
    static func slots(_ words: [UInt64]) -> [GuestExtent] {
        stride(from: 0, to: words.count - words.count % 3, by: 3).map {
            GuestExtent(guest: words[$0], host: words[$0 + 1], size: words[$0 + 2])
        }
    }
}

extension WatchedBytes {
    static func list(_ words: [UInt64]) -> [WatchedBytes] {
        stride(from: 0, to: words.count - words.count % 2, by: 2).map {
            WatchedBytes(GuestPhysicalAddress(words[$0]), count: Int(words[$0 + 1] & 0xffff))
        }
    }
}

extension PacketWriter {
    mutating func put(_ vcpu: ForeignVCPU) {
        put(UInt32(vcpu.number))
        put(vcpu.descriptor)
        put(vcpu.run)
        put(vcpu.runSize)
        put(vcpu.thread)
    }

    mutating func put(_ state: TracedState) {
        put(UInt32(state.vcpus.count))
        for vcpu in state.vcpus {
            put(vcpu.thread)
            put(vcpu.steps)
            put(UInt8(vcpu.registers == nil ? 0 : 1))
            put(UInt8(vcpu.isOutside ? 1 : 0))
            let registers = vcpu.registers ?? RegisterFile()
            for register in Register.allCases { put(registers[register]) }
        }
    }

    mutating func put(_ stop: TracedStop) {
        put(UInt32(stop.vcpu))
        switch stop.reason {
        case .limit: put(UInt8(0))
        case .breakpoint: put(UInt8(1))
        case .interrupted: put(UInt8(2))
        case .passed(let kind):
            put(UInt8(3))
            put(kind)
        case .trapped: put(UInt8(4))
        case .touched: put(UInt8(5))
        }
    }

    private mutating func put(_ kind: PassedExit.Kind) {
        switch kind {
        case .port(let access):
            put(UInt8(0))
            put(access.port)
            put(UInt32(access.size))
            put(UInt32(access.count))
            put(UInt8(access.isInput ? 1 : 0))
            put(access.data)
        case .memory(let access):
            put(UInt8(1))
            put(access.address.rawValue)
            put(UInt32(access.length))
            put(UInt8(access.isRead ? 1 : 0))
            put(access.data)
        case .readMSR(let number):
            put(UInt8(2))
            put(number)
        case .writeMSR(let number, let value):
            put(UInt8(3))
            put(number)
            put(value)
        case .other(let reason):
            put(UInt8(4))
            put(reason)
        }
    }
}

extension PacketReader {
    mutating func vcpu() throws(Malformed) -> ForeignVCPU {
        let number = Int(try integer(UInt32.self))
        return ForeignVCPU(
            number: number, descriptor: try integer(), run: try integer(), runSize: try integer(),
            thread: try integer())
    }

    mutating func state() throws(Malformed) -> TracedState {
        var state = TracedState()
        let count = try integer(UInt32.self)
        for _ in 0..<min(count, 4096) {
            let (thread, steps) = (try integer(Int32.self), try integer(UInt64.self))
            let isKnown = try integer(UInt8.self) != 0
            let isOutside = try integer(UInt8.self) != 0
            var registers = RegisterFile()
            for register in Register.allCases { registers[register] = try integer() }
            state.vcpus.append(
                .init(
                    thread: thread, steps: steps, registers: isKnown ? registers : nil,
                    isOutside: isOutside))
        }
        return state
    }

    mutating func stop() throws(Malformed) -> TracedStop {
        let vcpu = Int(try integer(UInt32.self))
        let reason: TracedStop.Reason
        switch try integer(UInt8.self) {
        case 0: reason = .limit
        case 1: reason = .breakpoint
        case 2: reason = .interrupted
        case 3: reason = .passed(try kind())
        case 4: reason = .trapped
        case 5: reason = .touched
        default: throw Malformed()
        }
        return TracedStop(vcpu: vcpu, reason: reason)
    }

    private mutating func kind() throws(Malformed) -> PassedExit.Kind {
        switch try integer(UInt8.self) {
        case 0:
            let port = try integer(UInt16.self)
            let (size, count) = (Int(try integer(UInt32.self)), Int(try integer(UInt32.self)))
            let isInput = try integer(UInt8.self) != 0
            return .port(
                PortAccess(
                    port: port, size: size, count: count, data: try data(), isInput: isInput))
        case 1:
            let address = GuestPhysicalAddress(try integer())
            let (length, isRead) = (
                Int(try integer(UInt32.self)), try integer(UInt8.self) != 0
            )
            return .memory(
                MMIOAccess(address: address, length: length, data: try data(), isRead: isRead))
        case 2: return .readMSR(try integer())
        case 3: return .writeMSR(try integer(), try integer())
        case 4: return .other(try integer())
        default: throw Malformed()
        }
    }
}
