internal import CKVM

/// What the host asks of a vCPU that the debug stub stopped (stub.h, COMMAND_).
enum StubCommand {
    /// Go on with the registers in the mailbox.
    case resume
    /// The same, for one instruction.
    case step
    /// At most `limit` bytes.
    case read(GuestVirtualAddress, count: Int)
    case write(GuestVirtualAddress, [UInt8])

    /// Bytes that one command moves at most.
    static let limit = Int(MAILBOX_DATA_SIZE)
    /// Where the bytes that were read are, from the mailbox on.
    static let data = UInt64(MAILBOX_DATA)

    /// What has to be written, with its distance from the mailbox.
    var writes: [(offset: UInt64, bytes: [UInt8])] {
        switch self {
        case .resume: [command(COMMAND_CONTINUE)]
        case .step: [command(COMMAND_STEP)]
        case .read(let address, let count):
            [command(COMMAND_READ)] + range(address, count)
        case .write(let address, let bytes):
            [command(COMMAND_WRITE), (Self.data, bytes)] + range(address, bytes.count)
        }
    }

    /// What makes the #VC handler stop its vCPU behind the instruction.
    static var stopRequest: (offset: UInt64, bytes: [UInt8]) {
        (UInt64(MAILBOX_STOP_REQUEST), UInt32(1).littleEndianBytes)
    }

    /// What makes the #VC handler halt behind each exchange.
    static var trace: (offset: UInt64, bytes: [UInt8]) {
        (UInt64(MAILBOX_TRACE), UInt32(1).littleEndianBytes)
    }

    private func command(_ number: Int32) -> (offset: UInt64, bytes: [UInt8]) {
        (UInt64(MAILBOX_COMMAND), number.littleEndianBytes)
    }

    private func range(
        _ address: GuestVirtualAddress, _ count: Int
    ) -> [(offset: UInt64, bytes: [UInt8])] {
        [
            (UInt64(MAILBOX_ADDRESS), address.rawValue.littleEndianBytes),
            (UInt64(MAILBOX_COUNT), UInt64(count).littleEndianBytes),
        ]
    }
}
