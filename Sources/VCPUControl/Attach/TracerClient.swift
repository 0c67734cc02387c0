internal import CKVM
internal import Glibc

/// The debugger's end of the tracer process: one request, one answer.
///
/// Unsafe: hands the bytes of arrays to system calls for the time of one call.
final class TracerClient {
    private let channel: Int32

    /// Starts the tracer.
    ///
    /// - Parameter program: the file of this program, which is executed again.
    /// - Throws: `.failed` where that cannot be done.
    init(program: String) throws(AttachError) {
        channel = unsafe program.withCString { unsafe ckvm_start_tracer($0) }
        guard channel >= 0 else {
            throw .failed("cannot start the tracer \(program): errno \(-channel)")
        }
    }

    /// The tracer sees the end of the channel, lets go of everything, and ends.
    deinit { _ = close(channel) }

    func send(_ request: TracerRequest) {
        let packet = request.packet
        // A tracer that has gone is noticed where its answer is waited for.
        _ = unsafe packet.withUnsafeBytes { unsafe ckvm_send(channel, $0.baseAddress, $0.count) }
    }

    /// Asks, and waits for the answer; a raised flag interrupts the run that it waits for.
    ///
    /// - Throws: what the tracer says of a failure, and that it has gone.
    func ask(
        _ request: TracerRequest, interrupt: InterruptFlag? = nil
    ) throws(AttachError) -> TracerReply {
        send(request)
        while ckvm_poll(channel, -1, interrupt == nil ? -1 : 10) == 0 {
            if let interrupt, interrupt.take() { send(.interrupt) }
        }
        let reply = try receive()
        if case .failed(let text) = reply { throw .failed(text) }
        return reply
    }

    private func receive() throws(AttachError) -> TracerReply {
        var bytes = [UInt8](repeating: 0, count: 1 << 18)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe ckvm_receive(channel, $0.baseAddress, $0.count)
        }
        guard count > 0 else {
            throw .failed("the tracer process has ended; the VMM runs on without sevdbg")
        }
        do throws(PacketReader.Malformed) {
            return try TracerReply(packet: Array(bytes.prefix(Int(count))))
        } catch { throw .failed("the tracer process answers in another version of sevdbg") }
    }
}
