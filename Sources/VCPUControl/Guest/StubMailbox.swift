internal import CKVM

/// What the stub tells the host of its vCPU, from the shared page that it writes (stub.h, MAILBOX_).
package struct StubMailbox: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        case running
        /// The guest returned from its entry.
        case returned
        /// The stub ended the VM, because of the #VC with this error code at this address.
        case terminated(exitCode: UInt64, rip: GuestVirtualAddress)
        /// The debug stub waits for a command.
        case stopped(StubReport)
        /// The #VC handler waits for the hypervisor's answer.
        case exchanging
        /// The handler has the answer, by the page at this address, and waits for the host to look.
        case answered(GuestPhysicalAddress)
        /// A guest wrote over it.
        case unknown(UInt32)
    }

    package var state: State
    /// Changes with each stop and each answer.
    package var sequence: UInt32
    /// Whether the last command on memory was carried out.
    package var isDone: Bool

    /// Bytes at the start of the page that say something.
    package static let size = Int(MAILBOX_HEAD_SIZE)

    /// Takes the first bytes of the page, hostile; `nil` where they are too few or no mailbox.
    package init?(_ bytes: [UInt8]) {
        let page = LittleEndianBytes(bytes)
        guard bytes.count >= Self.size,
            page.word(MAILBOX_MAGIC) == UInt32(MAILBOX_MAGIC_VALUE),
            page.word(MAILBOX_VERSION) == UInt32(MAILBOX_CURRENT)
        else { return nil }
        sequence = page.word(MAILBOX_SEQUENCE)
        isDone = page.word(MAILBOX_RESULT) == UInt32(RESULT_OK)
        switch Int32(truncatingIfNeeded: page.word(MAILBOX_STATE)) {
        case MAILBOX_STATE_RUNNING: state = .running
        case MAILBOX_STATE_RETURNED: state = .returned
        case MAILBOX_STATE_TERMINATED:
            state = .terminated(
                exitCode: page.quad(MAILBOX_EXIT_CODE),
                rip: GuestVirtualAddress(page.quad(MAILBOX_RIP)))
        case MAILBOX_STATE_STOPPED: state = .stopped(StubReport(page))
        case MAILBOX_STATE_EXCHANGING: state = .exchanging
        case MAILBOX_STATE_ANSWERED: state = .answered(.init(page.quad(MAILBOX_GHCB)))
        case let other: state = .unknown(UInt32(bitPattern: other))
        }
    }

    /// Where the shadow of the GHCB lies that goes with a mailbox.
    package static func shadow(of mailbox: GuestPhysicalAddress) -> GuestPhysicalAddress {
        .init(mailbox.rawValue &+ UInt64(MAILBOX_SHADOW))
    }

    /// The GHCB by which the stub asks the hypervisor on its own behalf.
    package static func ownGHCB(of mailbox: GuestPhysicalAddress) -> GuestPhysicalAddress {
        .init(mailbox.rawValue &+ UInt64(MAILBOX_OWN_GHCB))
    }
}

extension LittleEndianBytes {
    /// Fields of stub.h; 0 behind the end.
    func word(_ offset: Int32) -> UInt32 { load(UInt32.self, at: UInt64(offset)) ?? 0 }
    func quad(_ offset: Int32) -> UInt64 { load(UInt64.self, at: UInt64(offset)) ?? 0 }
    func half(_ offset: Int32) -> UInt16 { load(UInt16.self, at: UInt64(offset)) ?? 0 }
}
