internal import CKVM

/// What the stub tells the host of its vCPU, from the shared page that it writes (stub.h, MAILBOX_).
package struct StubMailbox: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        case running
        /// The guest returned from its entry.
        case returned
        /// The stub ended the VM, because of the #VC with this error code at this address.
        case terminated(exitCode: UInt64, rip: GuestVirtualAddress)
        /// A guest wrote over it.
        case unknown(UInt32)
    }

    package var state: State

    /// Bytes of the page that say something.
    package static let size = Int(MAILBOX_RIP) + 8

    /// Takes the first bytes of the page, hostile; `nil` where they are too few.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.size else { return nil }
        func word(_ offset: Int32, _ size: Int) -> UInt64 {
            UInt64(littleEndian: bytes[Int(offset)..<Int(offset) + size])
        }
        switch Int32(truncatingIfNeeded: word(MAILBOX_STATE, 4)) {
        case MAILBOX_STATE_RUNNING: state = .running
        case MAILBOX_STATE_RETURNED: state = .returned
        case MAILBOX_STATE_TERMINATED:
            state = .terminated(
                exitCode: word(MAILBOX_EXIT_CODE, 8),
                rip: GuestVirtualAddress(word(MAILBOX_RIP, 8)))
        case let other: state = .unknown(UInt32(bitPattern: other))
        }
    }
}
