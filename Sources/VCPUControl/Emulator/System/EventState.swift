/// What a vCPU remembers between instructions for the sake of events.
struct EventState {
    /// The instruction that just ended lets no single-step trap through: INT n, SYSCALL, MOV SS.
    var suppressesTrap = false
    /// DR0…DR3: kept, but without effect under SEV-ES without DebugSwap (REFERENCE 5f).
    var debugAddresses = InlineArray<4, UInt64>(repeating: 0)
    /// The time stamp counter minus `retired`: what other vCPUs have executed.
    var timeStampBase: UInt64 = 0
    /// What lint rules judge, since the machine last fetched it.
    var watched: [WatchedEvent] = []
    /// Whether a #VC was delivered since then: only then an IRET is worth a look.
    var hasDeliveredVC = false
}

/// Something that a vCPU did and that a lint rule judges; see `Observation`.
enum WatchedEvent {
    case ghcbMSRWrite(rip: UInt64, value: UInt64)
    case vcDelivered(errorCode: UInt64, errorCodeAt: UInt64)
    case interruptReturn(rip: UInt64, stack: UInt64, target: UInt64)
    /// SW_EXITINFO1 of the answer to this vCPU was read.
    case responseRead(vcpu: Int)

    /// A guest that handles interrupts for hours without an exit must not fill the host's memory.
    static let limit = 4096
}

extension EventState {
    mutating func watch(_ event: WatchedEvent) {
        if watched.count < WatchedEvent.limit { watched.append(event) }
    }
}
