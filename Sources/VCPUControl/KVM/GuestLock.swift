internal import Dispatch
internal import Synchronization

/// Keeps vCPUs that run on threads of their own from undoing each other's work.
///
/// KVM executes as many of them at a time as there are. What is decided and modelled here is done
/// by one at a time, in its turn; what changes how memory is used, or has to be indivisible for
/// the guest, while no other is in the guest.
final class GuestLock: Sendable {
    /// Whether there is anybody to be kept away.
    let isShared: Bool
    private let turn = DispatchSemaphore(value: 1)
    private let guests = Mutex((count: 0, isEndAwaited: false))
    private let areOut = DispatchSemaphore(value: 0)

    init(isShared: Bool = true) { self.isShared = isShared }

    /// Waits for the calling thread's turn, and gives it away behind the body.
    func inTurn<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard isShared else { return try body() }
        turn.wait()
        defer { turn.signal() }
        return try body()
    }

    /// Gives the turn away while the body has KVM execute the guest.
    ///
    /// What was found in the turn holds until the body is over: nobody is alone before.
    func inGuest<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard isShared else { return try body() }
        guests.withLock { $0.count += 1 }
        turn.signal()
        defer {
            leave()
            turn.wait()
        }
        return try body()
    }

    private func leave() {
        let isLast = guests.withLock { guests in
            guests.count -= 1
            guard guests.count == 0, guests.isEndAwaited else { return false }
            guests.isEndAwaited = false
            return true
        }
        if isLast { areOut.signal() }
    }

    /// Waits in the turn until no vCPU is in the guest; none enters it before the turn is over.
    func beAlone() {
        guard isShared else { return }
        let hasToWait = guests.withLock { guests in
            guests.isEndAwaited = guests.count > 0
            return guests.isEndAwaited
        }
        if hasToWait { areOut.wait() }
    }
}
