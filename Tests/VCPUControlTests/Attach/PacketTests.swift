import Testing

@testable import VCPUControl

/// The protocol between the debugger and its tracer process.
@Suite("Tracer packets")
struct PacketTests {
    static let requests: [TracerRequest] = [
        .attach(
            process: 4711,
            vcpus: [
                .init(number: 0, descriptor: 12, run: 0x7f00_0000_0000, runSize: 12288),
                .init(number: 1, descriptor: 13, run: 0, runSize: 0, thread: 4712),
            ]),
        .call(vcpu: 3, request: 0x8090_ae81, argument: [1, 2, 255]),
        .run(.all, limit: .max, breakpoints: [0x1000, .max]),
        .run(.one(7), limit: 1, breakpoints: []),
        .memory([.init(guest: 0, host: 0x7f12_3456_0000, size: 1 << 20)]), .interrupt, .detach,
        .hold, .trap(signal: 23),
        .debug(vcpu: 1, .init(control: 0x2_0003, addresses: [1, 2, 3, 4], dr7: 0x402)),
        .watch([.init(.init(0x1000), count: 8), .init(.init(1 << 40), count: 1)]),
    ]

    static let state = TracedState(
        vcpus: [
            .init(thread: 99, steps: 1 << 40, registers: registers, isOutside: false),
            .init(thread: 100, steps: 0, registers: RegisterFile(), isOutside: true),
            .init(thread: 0, steps: 0, registers: nil, isOutside: true),
        ])

    static let registers: RegisterFile = {
        var file = RegisterFile()
        for register in Register.allCases { file[register] = 0x1111 * UInt64(register.rawValue) }
        return file
    }()

    static let kinds: [PassedExit.Kind] = [
        .port(.init(port: 0x3f8, size: 1, count: 2, data: [65, 66], isInput: false)),
        .port(.init(port: 0xcf8, size: 4, count: 1, data: [], isInput: true)),
        .memory(.init(address: .init(0xfee0_0000), length: 4, data: [1, 2, 3, 4], isRead: false)),
        .memory(.init(address: .init(0xfee0_0000), length: 8, data: [], isRead: true)),
        .readMSR(0xc001_0130), .writeMSR(0xc001_0130, .max), .other(5),
    ]

    static let replies: [TracerReply] =
        [
            .held(state), .result(-22, [0, 1]), .stopped(.init(vcpu: 1, reason: .limit), state),
            .stopped(.init(vcpu: 0, reason: .breakpoint), state),
            .stopped(.init(vcpu: 0, reason: .interrupted), state),
            .stopped(.init(vcpu: 1, reason: .trapped), state),
            .stopped(.init(vcpu: 2, reason: .touched), state), .detached,
            .ended(status: 9), .failed("täuschend"),
        ] + kinds.map { .stopped(.init(vcpu: 0, reason: .passed($0)), state) }

    @Test("every request comes through as it was", arguments: requests)
    func request(request: TracerRequest) throws {
        #expect(try TracerRequest(packet: request.packet) == request)
    }

    @Test("every answer comes through as it was", arguments: replies)
    func reply(reply: TracerReply) throws {
        #expect(try TracerReply(packet: reply.packet) == reply)
    }

    @Test("a packet that is cut off is refused, wherever", arguments: requests)
    func cutRequest(request: TracerRequest) {
        for count in request.packet.indices {
            #expect(throws: PacketReader.Malformed.self) {
                try TracerRequest(packet: Array(request.packet.prefix(count)))
            }
        }
    }

    @Test("an answer that is cut off is refused, wherever", arguments: replies)
    func cutReply(reply: TracerReply) {
        for count in reply.packet.indices {
            #expect(throws: PacketReader.Malformed.self) {
                try TracerReply(packet: Array(reply.packet.prefix(count)))
            }
        }
    }

    @Test("another version, and lengths that lie, are refused")
    func hostile() {
        var other = TracerRequest.detach.packet
        other[0] += 1
        #expect(throws: PacketReader.Malformed.self) { try TracerRequest(packet: other) }
        // A call whose argument claims to have four billion bytes.
        let call: [UInt8] =
            [TracerRequest.version, 1] + [UInt8](repeating: 0, count: 12) + [255, 255, 255, 255, 1]
        #expect(throws: PacketReader.Malformed.self) { try TracerRequest(packet: call) }
    }
}
